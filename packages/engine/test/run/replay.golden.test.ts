/** Journals of every format, recorded when it was written, must replay for ever: `test/golden/record.ts` adds new ones. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { chainStart, encodeEntries, encodeModule, joinByteStrings, moduleHash, readBatches, unpackAll } from '@mvm-ci/protocol';
import { openEngine, systemClock, systemRandom, type Engine, type Replayer } from '../../src/index.ts';
import { readGolden, type GoldenJournal } from '../golden/golden-journal.ts';

const folder = new URL('../golden/', import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
const golden: ReadonlyMap<string, GoldenJournal> = new Map(
  files.sort().map((name) => [name, readGolden(readFileSync(new URL(name, folder), 'utf8'))]),
);
const bytesOf = ({ batches }: GoldenJournal): Uint8Array => joinByteStrings(batches.map(({ bytes }) => bytes));

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

describe('golden journals', { timeout: 120_000 }, () => {
  let engine: Engine & Replayer;

  before(async () => {
    const modules = new Map([...golden.values()].map(({ module }) => encodeModule(module)).map((bytes) => [moduleHash(bytes), bytes]));
    engine = await openEngine({
      modules: (hash) => Promise.resolve(modules.get(hash) ?? assert.fail(`no module ${hash}`)),
      clock: systemClock,
      random: systemRandom,
      threads: 1,
    });
  });

  after(() => engine.stop());

  for (const [name, kept] of golden) {
    it(`replay: ${name}`, async () => {
      const { job, attempt, workflow, module, batches } = kept;
      const journal = readBatches(chainStart(job, attempt), batches);
      const request = { job, attempt, workflow, module: moduleHash(encodeModule(module)) };
      for (let length = 1; length <= journal.length; length += 1) {
        const { compatible, divergence, failure } = await engine.replay({ ...request, journal: journal.slice(0, length) });
        if (length === journal.length || divergence) assert.deepEqual([length, divergence, failure, compatible], [length, undefined, undefined, true]);
      }
    });
  }

  it('have the bytes that this build writes for the same entries', () => {
    for (const [name, kept] of golden) {
      if (!name.startsWith('format-1/')) continue;
      const journal = readBatches(chainStart(kept.job, kept.attempt), kept.batches);
      assert.equal(encodeEntries(journal).toHex(), bytesOf(kept).toHex(), name);
    }
  });

  it('hold every kind of module, entry, intent and answer', () => {
    const entries = [...golden.values()].flatMap((kept) => unpackAll(bytesOf(kept))).map(listOf);
    const numbers = (values: readonly unknown[]): readonly number[] =>
      [...new Set(values.map((value) => Number(listOf(value)[0])))].sort((a, b) => a - b);
    const parts = (kind: number, at: number): readonly unknown[] =>
      entries.filter((entry) => entry[0] === kind).map((entry) => entry[at]);
    assert.deepEqual(numbers(entries), [0, 1, 2, 3, 4]);
    assert.deepEqual(numbers(parts(1, 1).flatMap(listOf)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    assert.deepEqual(numbers(parts(2, 3)), [0, 1, 2, 3, 4, 5, 6, 7]);
    const kinds = new Set([...golden.values()].map(({ module: { kind, runtime } }) => `${kind} ${runtime}`));
    assert.deepEqual([...kinds].sort(), ['core ', 'flawless ', 'javascript quickjs-ng/0.31.0', 'javascript quickjs-ng/0.32.0', 'wasi ']);
  });
});
