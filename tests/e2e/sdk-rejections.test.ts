/** The SDK in the engine: a promise that is rejected, and that nothing handles, is told in the job's log. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildWorkflow, type BuiltModule } from '@mvm-ci/build';
import { MemoryJournal, openEngine, systemClock, systemRandom } from '@mvm-ci/engine';
import type { JournalEntry } from '@mvm-ci/protocol';

const source = `import { all, log, sleep } from '@mvm-ci/sdk';
const fails = async (text: string) => { await null; throw new TypeError(text); };
export async function main() {
  void fails('floating');
  await fails('caught').catch(() => undefined);
  await all([() => fails('gathered'), (signal) => sleep(60_000, { signal })]).catch(() => undefined);
  await Promise.race([sleep(1), sleep(2).then(() => fails('late'))]);
  log.info('in between');
  await sleep(5);
  void fails('at the end');
  await null;
  await null;
  return 'done';
}
`;

const build = async (): Promise<BuiltModule> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-rejections-'));
  try {
    await writeFile(join(folder, 'main.ts'), source);
    return await buildWorkflow({ entry: join(folder, 'main.ts') });
  } finally {
    await rm(folder, { recursive: true });
  }
};

const linesIn = (entries: readonly JournalEntry[]): readonly (readonly [string, string])[] =>
  entries
    .flatMap((entry) => (entry.kind === 'intents' ? entry.intents : []))
    .flatMap((intent) => (intent.type === 'log' ? [[intent.level, intent.text] as const] : []));

const told = (text: string): readonly [string, string] => [
  'warn',
  `Unhandled promise rejection: TypeError: ${text}\n    at fails (main.ts:2:63)`,
];

describe('a rejection that nothing handles', { timeout: 60_000 }, () => {
  it('is a warning with the author’s lines, ends no job, and is the same in every replay', async () => {
    const { bytes, hash } = await build();
    await using engine = await openEngine({
      modules: () => Promise.resolve(bytes),
      clock: systemClock,
      random: systemRandom,
      threads: 1,
    });
    const job = { job: 'j1', attempt: 1, module: hash, workflow: 'main' };
    const runFrom = async (recorded: readonly JournalEntry[]): Promise<readonly JournalEntry[]> => {
      const journal = new MemoryJournal(recorded);
      const request = { ...job, input: 'null', journal: journal.entries };
      const end = await engine.run(request, { sink: journal.hold(), mayStartEffect: () => true }).ended;
      assert.ok(end.type === 'finished' && end.outcome.type === 'completed', JSON.stringify(end));
      return journal.entries;
    };
    const entries = await runFrom([]);
    const lines = [told('floating'), ['info', 'in between'], told('at the end')];
    assert.deepEqual(linesIn(entries), lines);
    for (let kept = 1; kept < entries.length; kept += 1)
      assert.deepEqual(linesIn(await runFrom(entries.slice(0, kept))), lines);
    const report = await engine.replay({ ...job, journal: entries });
    assert.equal(report.compatible, true);
  });
});
