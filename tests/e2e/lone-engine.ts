/** An engine without a cluster, for what a workflow does inside and outside of the system. */
import { fileURLToPath } from 'node:url';
import { buildWorkflow, type BuiltModule } from '@mvm-ci/build';
import {
  type MemoryInbox,
  MemoryJournal,
  openEngine,
  systemClock,
  systemRandom,
  type JournalSink,
  type OutwardEffect,
} from '@mvm-ci/engine';
import type { Answer, ErrorRecord, FetchIntent, Intent } from '@mvm-ci/protocol';

export interface LoneRun {
  /** Folder of the workflow, seen from this file. */
  readonly folder: string;
  readonly workflow: string;
  readonly input: unknown;
  readonly inbox: MemoryInbox;
  /** Answers a request. */
  readonly fetch: (intent: FetchIntent) => Answer;
  /** A refusal of an effect inside the system. @default none */
  readonly apply?: (effect: OutwardEffect) => ErrorRecord | undefined;
  /** Sees the intents of each step before they are stored. */
  readonly onIntents?: (intents: readonly Intent[]) => void;
}

/** What came of a run. */
export interface LoneEnd {
  /** The result, parsed. */
  readonly result: unknown;
  /** Effects inside the system that were not refused, in order. */
  readonly done: readonly OutwardEffect[];
}

const builds = new Map<string, Promise<BuiltModule>>();

const builtOnce = (folder: string): Promise<BuiltModule> => {
  const built = builds.get(folder) ?? buildWorkflow({ folder });
  builds.set(folder, built);
  return built;
};

/** Runs a workflow to its result. @throws when it ends otherwise */
export const runAlone = async (options: LoneRun): Promise<LoneEnd> => {
  const module = await builtOnce(fileURLToPath(new URL(options.folder, import.meta.url)));
  await using engine = await openEngine({
    modules: () => Promise.resolve(module.bytes),
    clock: systemClock,
    random: systemRandom,
    performer: { fetch: ({ intent }) => Promise.resolve(options.fetch(intent)) },
    threads: 1,
  });
  const done: OutwardEffect[] = [];
  const apply = (effect: OutwardEffect): ErrorRecord | undefined => {
    const refusal = options.apply?.(effect);
    if (!refusal) done.push(effect);
    return refusal;
  };
  const { inbox, workflow, input } = options;
  const sink = watched(new MemoryJournal([], { inbox, apply }).hold(), options.onIntents);
  const run = engine.run(
    {
      job: 'j',
      attempt: 1,
      module: module.hash,
      workflow,
      input: JSON.stringify(input),
      journal: [],
      inbox: inbox.items,
    },
    { mayStartEffect: () => true, inbox: (after, signal) => inbox.after(after, signal), sink },
  );
  const end = await run.ended;
  if (end.type !== 'finished' || end.outcome.type !== 'completed') throw new Error(JSON.stringify(end));
  return { result: JSON.parse(end.outcome.result), done };
};

const watched = (sink: JournalSink, onIntents: LoneRun['onIntents']): JournalSink => ({
  append: (entries, ...more) => {
    for (const entry of entries) if (entry.kind === 'intents') onIntents?.(entry.intents);
    return sink.append(entries, ...more);
  },
  finish: (...all) => sink.finish(...all),
});

/** Status 200, or another one, with this text. */
export const fetched = (url: string, body: string, status = 200): Answer => ({
  type: 'fetched',
  response: {
    status,
    statusText: '',
    url,
    redirected: false,
    headers: [['x-a', 'b']],
    body: new TextEncoder().encode(body),
  },
});
