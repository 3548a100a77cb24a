import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeEntries, encodeEntry, type ClaimedJob, type JournalEntry } from '@mvm-ci/protocol';
import {
  answeredEntry,
  noteEntry,
  requestEntry,
  startedEntry,
  startPosition,
  unsentEntry,
} from '../../../src/engine-hosts/foreign/start-journal.ts';

const job: ClaimedJob = {
  job: 'j1',
  epoch: 1,
  attempt: 1,
  module: 'm1',
  workflow: 'main',
  input: '1',
  journalEntries: 0,
};
const request = {
  method: 'POST',
  url: 'http://engine/api/workflow/start',
  headers: { authorization: 'Bearer x' },
  body: Uint8Array.of(1),
};
const begun: readonly JournalEntry[] = [startedEntry(job, 1), noteEntry('here')];
const answer = { status: 200, headers: {}, body: Uint8Array.of(2), at: 3 };

describe('startPosition', () => {
  const positions: readonly (readonly [string, readonly JournalEntry[], ReturnType<typeof startPosition>])[] = [
    ['an empty journal is fresh', [], { type: 'fresh' }],
    ['nothing was sent before the first request', begun, { type: 'ready', call: 1 }],
    ['a request without an answer is unknown', [...begun, requestEntry(1, request)], { type: 'unknown' }],
    [
      'a request that did not leave may be followed by another',
      [...begun, requestEntry(1, request), unsentEntry(1, 'refused', 2)],
      { type: 'ready', call: 2 },
    ],
    [
      'the second request is as unknown as the first',
      [...begun, requestEntry(1, request), unsentEntry(1, 'refused', 2), requestEntry(2, request), noteEntry('late')],
      { type: 'unknown' },
    ],
  ];
  for (const [title, entries, position] of positions)
    it(title, () => {
      assert.deepEqual(startPosition(entries), position);
    });

  it('refuses a journal of another engine', () => {
    assert.throws(() => startPosition([noteEntry('first')]), { code: 'JOURNAL_CORRUPT' });
    assert.throws(() => startPosition([{ ...startedEntry(job, 1), runtime: '' }]), { code: 'JOURNAL_CORRUPT' });
  });

  it('survives being stored', () => {
    const entries = [...begun, requestEntry(1, request), answeredEntry(1, request, answer)];
    const bytes = new Uint8Array(Buffer.concat(entries.map(encodeEntry)));
    assert.deepEqual(decodeEntries(bytes), entries);
  });
});
