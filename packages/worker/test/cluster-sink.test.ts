import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import {
  chainStart,
  limits,
  mvmError,
  readBatches,
  type InboxItem,
  type InternalEffect,
  type JournalBatch,
  type JournalEntry,
  type MvmError,
} from '@mvm-ci/protocol';
import { ClusterSink } from '../src/journal/cluster-sink.ts';
import type { Parcel } from '../src/journal/journal-shipper.ts';
import { logEntry, textsOf } from './fixtures/entry.ts';

const lease = { job: 'j1', epoch: 3 };
const start = chainStart('j1', 1);

describe('ClusterSink', () => {
  let offers = 0;
  let refusals: MvmError[] = [];
  let sink: ClusterSink;

  beforeEach(() => {
    offers = 0;
    refusals = [];
    sink = openSink({ nextSeq: 0, hash: start });
  });

  const openSink = (position: { nextSeq: number; hash: Uint8Array }): ClusterSink =>
    new ClusterSink({
      lease,
      attempt: 1,
      position,
      shipper: { offer: () => void (offers += 1) },
      onRefused: (error) => refusals.push(error),
    });

  it('links batches into a chain that reads back in the order of the calls', async () => {
    const first = sink.append([logEntry('a')]);
    const batches = [batchOf(sink.take())];
    const second = sink.append([logEntry('b'), logEntry('c')]);
    answer(sink);
    await first;
    batches.push(batchOf(sink.take()));
    answer(sink);
    await second;
    assert.deepEqual(textsOf(readBatches(start, batches)), ['a', 'b', 'c']);
  });

  it('gathers what comes while a batch is out, in one next batch', () => {
    void sink.append([logEntry('a')]);
    sink.take();
    for (const text of ['b', 'c', 'd']) void sink.append([logEntry(text)]);
    answer(sink);
    assert.equal(batchOf(sink.take()).count, 3);
  });

  it('gives the same parcel again until it is answered, whatever came meanwhile', () => {
    void sink.append([logEntry('a')]);
    const parcel = sink.take();
    void sink.append([logEntry('b')]);
    assert.equal(sink.take(), parcel);
  });

  it('goes on after the entries that are stored', () => {
    const hash = new Uint8Array(32).fill(9);
    const resumed = openSink({ nextSeq: 7, hash });
    void resumed.append([logEntry('a')]);
    assert.equal(batchOf(resumed.take()).firstSeq, 7);
  });

  it('carries the tail and its progress in the finish', async () => {
    void sink.append([logEntry('a')], { progress: { percent: 40, text: 'half' } });
    const finished = sink.finish([logEntry('b')], { type: 'completed', result: '1' });
    const parcel = sink.take();
    assert.equal(parcel?.kind, 'finish');
    assert.equal(parcel.kind === 'finish' && parcel.item.append?.count, 2);
    assert.deepEqual(parcel.kind === 'finish' && parcel.item.append?.progress, { percent: 40, text: 'half' });
    assert.equal(sink.isFinishing, true);
    answer(sink);
    await finished;
  });

  it('sends what an append does inside the system with its last entry, and tells who asked what was refused', async () => {
    const item: InboxItem = { number: 4, at: 0, body: { type: 'refused', call: 2, error: exists } };
    const first = sink.append([logEntry('a')], { internal: [send(1)] });
    const second = sink.append([logEntry('b'), logEntry('c')], { internal: [send(2)] });
    const parcel = sink.take();
    assert.deepEqual(parcel?.kind === 'append' && parcel.item.internal, [send(1), send(2)]);
    assert.ok(parcel);
    sink.accepted(parcel, [item]);
    assert.deepEqual([await first, await second], [{ refused: [item] }, { refused: [item] }]);
  });

  it('never sends an effect before the entry that it belongs to, also when a batch is full', () => {
    const large = 'x'.repeat(limits.appendBytesMax - 1_000);
    void sink.append([logEntry(large), logEntry(large)], { internal: [send(1)] });
    const before = sink.take();
    assert.equal(before?.kind === 'append' && before.item.internal, undefined);
    answer(sink);
    void sink.finish([], { type: 'released' }, { internal: [send(2)] });
    const after = sink.take();
    assert.deepEqual(after?.kind === 'finish' && after.item.append?.internal, [send(1), send(2)]);
  });

  it('sends no more effects in one batch than the control plane takes', () => {
    const half = Array.from({ length: limits.internalEffectsMax / 2 + 1 }, (_, index) => send(index + 1));
    void sink.append([logEntry('a')], { internal: half });
    void sink.append([logEntry('b')], { internal: half });
    assert.equal(batchOf(sink.take()).count, 1);
    answer(sink);
    assert.equal(batchOf(sink.take()).count, 1);
  });

  it('sends a tail that is too large for one batch before the finish', () => {
    const large = 'x'.repeat(limits.appendBytesMax - 1_000);
    void sink.append([logEntry(large)]);
    void sink.finish([logEntry(large)], { type: 'completed', result: '1' });
    assert.equal(sink.take()?.kind, 'append');
    answer(sink);
    assert.equal(sink.take()?.kind, 'finish');
  });

  it('finishes without entries', () => {
    void sink.finish([], { type: 'released' });
    const parcel = sink.take();
    assert.deepEqual(parcel?.item, { ...lease, attempt: 1, outcome: { type: 'released' } });
  });

  it('answers an append without entries when those before it are durable', async () => {
    await sink.append([]);
    void sink.append([logEntry('a')]);
    sink.take();
    let isDurable = false;
    const empty = sink.append([]).then(() => void (isDurable = true));
    assert.equal(isDurable, false);
    answer(sink);
    await empty;
  });

  it('rejects every open call with the refusal, after telling its owner, and sends nothing more', async () => {
    const out = sink.append([logEntry('a')]);
    sink.take();
    const waiting = sink.append([logEntry('b')]);
    const stale = mvmError('STALE_LEASE', 'over');
    const parcel = sink.take();
    assert.ok(parcel);
    sink.refused(parcel, stale);
    await assert.rejects(out, stale);
    await assert.rejects(waiting, stale);
    await assert.rejects(sink.append([logEntry('c')]), stale);
    await assert.rejects(sink.finish([], { type: 'released' }), stale);
    assert.deepEqual([refusals, sink.nextKind, sink.take()], [[stale], undefined, undefined]);
  });

  it('rejects what is open when the lease is lost, and ignores a late answer', async () => {
    const out = sink.append([logEntry('a')]);
    sink.take();
    const parcel = sink.take();
    assert.ok(parcel);
    sink.lose(mvmError('STALE_LEASE', 'lost'));
    sink.accepted(parcel);
    await assert.rejects(out, { code: 'STALE_LEASE' });
    assert.deepEqual(refusals, []);
  });

  it('refuses an entry that no append can hold', async () => {
    const entry: JournalEntry = logEntry('x'.repeat(limits.appendBytesMax + 1));
    await assert.rejects(sink.append([entry]), { code: 'LIMIT_EXCEEDED' });
    assert.equal(refusals[0]?.code, 'LIMIT_EXCEEDED');
  });

  it('does not offer itself while a parcel is out, whose answer makes the next offer', () => {
    void sink.append([logEntry('a')]);
    sink.take();
    const before = offers;
    void sink.append([logEntry('b')]);
    void sink.finish([], { type: 'released' });
    assert.equal(offers, before);
    answer(sink);
    assert.equal(offers, before + 1);
  });

  it('takes no answer for another parcel than the one that is out', () => {
    void sink.append([logEntry('a')]);
    const first = sink.take();
    assert.ok(first);
    sink.accepted(first);
    void sink.append([logEntry('b')]);
    const second = sink.take();
    sink.accepted(first);
    sink.refused(first, mvmError('STALE_LEASE', 'late'));
    assert.equal(sink.take(), second);
  });

  it('offers itself again only when something is left', () => {
    void sink.append([logEntry('a')]);
    sink.take();
    const before = offers;
    answer(sink);
    assert.equal(offers, before);
  });
});

const exists = { code: 'JOB_NOT_FOUND', message: 'no' } as const;
const send = (call: number): InternalEffect => ({ type: 'send', call, job: 'j2', messageType: 'm', data: '1' });

/** The control plane accepts what is out. */
const answer = (sink: ClusterSink): void => {
  const parcel = sink.take();
  assert.ok(parcel);
  sink.accepted(parcel);
};

const batchOf = (parcel: Parcel | undefined): JournalBatch => {
  assert.equal(parcel?.kind, 'append');
  if (parcel?.kind !== 'append') throw new Error('not an append');
  return parcel.item;
};
