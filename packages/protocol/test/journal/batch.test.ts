import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  chainHash,
  chainStart,
  encodeEntry,
  readBatches,
  toHex,
  type JournalBatch,
  type JournalEntry,
} from '@mvm-ci/protocol';

const start = chainStart('job-1', 1);

const started: JournalEntry = {
  kind: 'started',
  at: 1_760_000_000_000,
  job: 'job-1',
  attempt: 1,
  module: 'ab'.repeat(32),
  runtime: 'quickjs-ng/0.32.0',
  workflow: 'crawler',
  input: '{"url":"http://localhost/"}',
  seed: new Uint8Array(32).fill(7),
};
const intents: JournalEntry = { kind: 'intents', intents: [{ type: 'sleep', call: 1, ms: 250 }] };
const answered: JournalEntry = { kind: 'answered', at: 1_760_000_000_250, call: 1, answer: { type: 'slept' } };

const batchOf = (previous: Uint8Array, firstSeq: number, entry: JournalEntry): JournalBatch => {
  const unhashed = { firstSeq, count: 1, bytes: encodeEntry(entry) };
  return { ...unhashed, hash: chainHash(previous, unhashed) };
};

const chain = (): readonly [JournalBatch, JournalBatch, JournalBatch] => {
  const first = batchOf(start, 0, started);
  const second = batchOf(first.hash, 1, intents);
  return [first, second, batchOf(second.hash, 2, answered)];
};

describe('journal batches', () => {
  it('give their entries in order when the chain holds', () => {
    const kinds = readBatches(start, chain()).map((entry) => entry.kind);
    assert.deepEqual(kinds, ['started', 'intents', 'answered']);
  });

  it('give their entries also when one batch holds very many, as after an outage', () => {
    const entry = encodeEntry({ kind: 'intents', intents: [] });
    const count = 200_000;
    const bytes = new Uint8Array(count * entry.length);
    for (let at = 0; at < bytes.length; at += entry.length) bytes.set(entry, at);
    const unhashed = { firstSeq: 0, count, bytes };
    assert.equal(readBatches(start, [{ ...unhashed, hash: chainHash(start, unhashed) }]).length, count);
  });

  it('are refused when a byte of an earlier batch flipped', () => {
    const [first, ...rest] = chain();
    const damaged = new Uint8Array(first.bytes);
    damaged[5] = (damaged[5] ?? 0) ^ 1;
    assert.throws(() => readBatches(start, [{ ...first, bytes: damaged }, ...rest]), {
      code: 'JOURNAL_CORRUPT',
      message: /batch at entry 0 .* hash/,
    });
  });

  it('are refused when one is missing, and the message names the entry that was expected', () => {
    const [first, , third] = chain();
    assert.throws(() => readBatches(start, [first, third]), {
      code: 'JOURNAL_CORRUPT',
      message: /entry 1 was expected/,
    });
  });

  it('of another job or attempt do not fit', () => {
    for (const other of [chainStart('job-2', 1), chainStart('job-1', 2)]) {
      assert.throws(() => readBatches(other, chain()), { code: 'JOURNAL_CORRUPT' });
    }
  });

  it('keep the hashes that format 1 gave them', () => {
    // Journals outlive the build that wrote them. If this fails, the format changed: give it a new number instead.
    assert.equal(toHex(start), '830fad86ae8e8296b68fb2bdbecd7730dd19d468abc70c09b09de91e447bc813');
    assert.deepEqual(
      chain().map((batch) => toHex(batch.hash)),
      [
        '2e8e5b33b4a38f4b81237f3a0f46cffad8473edb7963a671bb730e81cb2063a5',
        '401ab33898e0243afeec62a3eb43a9da2406afdd85811ac3727bfcb9d986623d',
        'f9a6e3834da567ccf5cdbed6687cd3341559ee063be745f33a0f59a4d5480216',
      ],
    );
  });
});
