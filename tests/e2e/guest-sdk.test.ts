import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildWorkflow } from '@mvm-ci/build';
import { MemoryInbox, MemoryJournal, openEngine, systemClock, systemRandom, type OutwardEffect } from '@mvm-ci/engine';
import type { Answer, ErrorRecord } from '@mvm-ci/protocol';
import { lacksCompiler, type Language } from './compilers.ts';

/** Answers a request with its own URL. */
const echo = ({ intent: { url } }: { readonly intent: { readonly url: string } }): Promise<Answer> =>
  Promise.resolve({
    type: 'fetched',
    response: {
      status: 200,
      statusText: 'OK',
      url,
      redirected: false,
      headers: [['x-a', 'b']],
      body: new TextEncoder().encode(url),
    },
  });

/** What a conversation did outside of its guest. */
interface Told {
  readonly result: unknown;
  readonly done: readonly string[];
}

/** Runs the conversation `talk` of one language in an engine, with an inbox that answers it. */
const talk = async (fixture: string): Promise<Told> => {
  const module = await buildWorkflow({ folder: fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url)) });
  await using engine = await openEngine({
    modules: () => Promise.resolve(module.bytes),
    clock: systemClock,
    random: systemRandom,
    performer: { fetch: echo },
    threads: 1,
  });
  const inbox = new MemoryInbox();
  inbox.put({ type: 'message', from: 'boss', messageType: 'unwanted', data: '0' });
  inbox.put({ type: 'message', from: 'boss', messageType: 'go', data: '{"n":1}' });
  const done: string[] = [];
  const apply = (effect: OutwardEffect): ErrorRecord | undefined => {
    if (effect.type === 'send' && effect.job === 'nobody') return { code: 'JOB_NOT_FOUND', message: 'nobody' };
    done.push(effect.type === 'respond' ? `respond ${effect.value}` : `${effect.type} ${effect.job}`);
    if (effect.type === 'start')
      inbox.put({ type: 'child', job: effect.job, outcome: { type: 'completed', result: effect.input } });
    return undefined;
  };
  const journal = new MemoryJournal([], { inbox, apply });
  const stored = { journal: [], inbox: inbox.items };
  const run = engine.run(
    { job: 'j', attempt: 1, module: module.hash, workflow: 'talk', input: '{}', ...stored },
    { mayStartEffect: () => true, inbox: (after, signal) => inbox.after(after, signal), sink: journal.hold() },
  );
  const end = await run.ended;
  assert.ok(end.type === 'finished' && end.outcome.type === 'completed', JSON.stringify(end));
  return { result: JSON.parse(end.outcome.result), done };
};

const languages: readonly (readonly [title: string, fixture: string, language?: Language])[] = [
  ['AssemblyScript', 'talk-assemblyscript'],
  ['C, as a program', 'talk-c', 'C'],
  ['C, as a step machine', 'talk-c-core', 'C'],
  ['Rust', 'talk-rust', 'Rust'],
  ['Go', 'talk-go', 'Go'],
];

for (const [title, fixture, language] of languages) {
  const skip = language !== undefined && (await lacksCompiler(language));
  describe(`the calls of a workflow in ${title}`, { skip }, () => {
    it('fetch together, receive, send, start, join, respond and ask for a version', async () => {
      const { result, done } = await talk(fixture);
      assert.deepEqual(result, {
        loud: true,
        bytes: ['http://site/a'.length, 'http://site/bb'.length],
        go: { n: 1 },
        sent: true,
        child: 'j:1:5',
        end: { n: 1 },
        refused: 'JOB_NOT_FOUND',
      });
      assert.deepEqual(done, ['respond "early"', 'send other', 'start j:1:5']);
    });
  });
}
