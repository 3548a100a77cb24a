/** The SDK in the engine: what a workflow sees of time and randomness comes from its journal alone. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildWorkflow, type BuiltModule } from '@mvm-ci/build';
import { MemoryJournal, openEngine, systemClock, systemRandom } from '@mvm-ci/engine';

// A zone with an offset and summer time: guests must not see it.
process.env['TZ'] = 'America/St_Johns';

const source = `
  export async function main() {
    const now = Date.now();
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    const seen = {
      now, iso: new Date().toISOString(), text: String(new Date()), zone: new Date().getTimezoneOffset(),
      locale: new Date().toLocaleString(), performance: performance.now(), uuid: crypto.randomUUID(),
      random: [Math.random(), Math.random()], bytes: [...bytes], stack: new Error('e').stack,
    };
    await new Promise((resolve) => setTimeout(resolve, 5));
    return seen;
  }`;

const build = async (): Promise<BuiltModule> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-determinism-'));
  try {
    await writeFile(join(folder, 'main.ts'), source);
    return await buildWorkflow({ entry: join(folder, 'main.ts') });
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** Runs the workflow from a journal that says that it was started in 2001, with `seed`. */
const runFrom = async ({ bytes, hash, file }: BuiltModule, seed: number): Promise<string> => {
  const modules = (): Promise<Uint8Array> => Promise.resolve(bytes);
  await using engine = await openEngine({ modules, clock: systemClock, random: systemRandom, threads: 1 });
  const job = { job: 'j1', attempt: 1, module: hash, workflow: 'main', input: '{}' };
  const started = {
    kind: 'started',
    at: 1_000_000_000_000,
    runtime: file.runtime,
    seed: new Uint8Array(32).fill(seed),
  } as const;
  const journal = new MemoryJournal([{ ...started, ...job }]);
  const run = engine.run({ ...job, journal: journal.entries }, { sink: journal.hold(), mayStartEffect: () => true });
  const end = await run.ended;
  assert.ok(end.type === 'finished' && end.outcome.type === 'completed', JSON.stringify(end));
  return end.outcome.result;
};

describe('a workflow with the SDK in the engine', () => {
  it('replays to the same time, random numbers and ids, and gets others with another seed', async () => {
    const built = await build();
    const [first, again, other] = [await runFrom(built, 1), await runFrom(built, 1), await runFrom(built, 2)];
    assert.equal(first, again);
    assert.notEqual(first, other);
    assert.match(first, /"now":1000000000000,"iso":"2001-09-09T01:46:40.000Z"/);
    assert.match(first, /"text":"Sun Sep 09 2001 01:46:40 GMT\+0000/);
    assert.match(first, /"zone":0/);
  });
});
