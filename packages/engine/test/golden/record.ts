/**
 * `node packages/engine/test/golden/record.ts`: records the scenarios that have no golden journal yet, in the format that this build
 * writes. What is there is never written again.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import {
  chainHash,
  chainStart,
  encodeEntries,
  journalFormat,
  type JournalBatch,
  type JournalEntry,
} from '@mvm-ci/protocol';
import { moduleShelf } from '@mvm-ci/testkit';
import { MemoryInbox, MemoryJournal, openEngine, systemClock, systemRandom } from '../../src/index.ts';
import { goldenText, type GoldenJournal } from './golden-journal.ts';
import { answerOf, applied, scenarios, type Scenario } from './scenarios.ts';

const folder = new URL(`format-${journalFormat}/`, import.meta.url);

const record = async (name: string, scenario: Scenario): Promise<GoldenJournal> => {
  const module = await scenario.module();
  const shelf = moduleShelf({ module });
  const performer = {
    fetch: ({ intent }: { readonly intent: { readonly url: string } }) => Promise.resolve(answerOf(intent.url)),
  };
  await using engine = await openEngine({
    modules: (hash) => shelf.source(hash),
    clock: systemClock,
    random: systemRandom,
    performer,
    threads: 1,
  });
  const inbox = new MemoryInbox();
  for (const body of scenario.inbox ?? []) inbox.put(body);
  const journal = new MemoryJournal([], { inbox, apply: (effect) => applied(effect, (body) => inbox.put(body)) });
  const place = { job: `golden-${name}`, attempt: 1 };
  const request = {
    ...place,
    module: shelf.hashOf('module'),
    workflow: module.workflows[0] ?? '',
    input: JSON.stringify(scenario.input ?? null),
  };
  const ports = {
    sink: journal.hold(),
    mayStartEffect: (): boolean => true,
    inbox: (after: number, signal: AbortSignal) => inbox.after(after, signal),
  };
  await engine.run({ ...request, journal: [], inbox: inbox.items }, ports).ended;
  return { ...place, workflow: request.workflow, module, batches: batchesOf(place, journal.entries) };
};

/** In batches of three, so that there is a chain. */
const batchesOf = (
  { job, attempt }: { readonly job: string; readonly attempt: number },
  entries: readonly JournalEntry[],
): readonly JournalBatch[] => {
  const batches: JournalBatch[] = [];
  let previous = chainStart(job, attempt);
  for (let firstSeq = 0; firstSeq < entries.length; firstSeq += 3) {
    const part = entries.slice(firstSeq, firstSeq + 3);
    const batch = { firstSeq, count: part.length, bytes: encodeEntries(part) };
    previous = chainHash(previous, batch);
    batches.push({ ...batch, hash: previous });
  }
  return batches;
};

mkdirSync(folder, { recursive: true });
for (const [name, scenario] of Object.entries(scenarios)) {
  const file = new URL(`${name}.json`, folder);
  if (existsSync(file)) continue;
  // `wx`: fails rather than overwrite.
  writeFileSync(file, goldenText(await record(name, scenario)), { flag: 'wx' });
  process.stdout.write(`recorded ${name}\n`);
}
