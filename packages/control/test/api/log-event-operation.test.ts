import type { LogIntent } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { EventReader } from '../fixtures/event-reader.ts';
import { firstBatch, startedEntry, TestPlane } from './test-plane.ts';

const log = (text: string): LogIntent => ({ type: 'log', level: 'info', text });

/** A job whose journal has three lines in two entries. */
const logged = async (plane: TestPlane): Promise<{ job: string; epoch: number }> => {
  const { job, epoch } = await plane.claimOne();
  const batch = firstBatch(job, [
    startedEntry(job),
    { kind: 'intents', intents: [log('one'), log('two')] },
    { kind: 'answered', at: 2_000, call: 1, answer: { type: 'slept' } },
    { kind: 'intents', intents: [log('three')] },
  ]);
  await plane.packed('/peer/append', { worker: 'w1', appends: [{ job, epoch, attempt: 1, ...batch }] });
  return { job, epoch };
};

const finish = async (plane: TestPlane, lease: { job: string; epoch: number }): Promise<void> => {
  const finishes = [{ ...lease, attempt: 1, outcome: { type: 'completed', result: '1' } }];
  await plane.packed('/peer/finish', { worker: 'w1', finishes });
};

const event = (id: string, at: number, seq: number, text: string): string =>
  `id: ${id}\nevent: log\ndata: ${JSON.stringify({ attempt: 1, seq, at, level: 'info', text })}`;

suite('the stream of a log', () => {
  test('has what was logged, and ends with the job', async () => {
    await using plane = await TestPlane.open();
    const lease = await logged(plane);
    await finish(plane, lease);
    const events = await EventReader.open(plane, '/queue/logs/a/events');
    assert.equal(await events.next(), event('1.1.0', 1_000, 1, 'one'));
    assert.equal(await events.next(), event('1.1.1', 1_000, 1, 'two'));
    assert.equal(await events.next(), event('1.3.0', 2_000, 3, 'three'));
    assert.match((await events.next()) ?? '', /^id: 1\.4\.0\nevent: end\ndata: \{"job_id":"a","status":"completed"/);
    assert.equal(await events.next(), undefined);
  });

  test('goes on after any line, by `after` or by Last-Event-ID', async () => {
    await using plane = await TestPlane.open();
    await finish(plane, await logged(plane));
    const within = await EventReader.open(plane, '/queue/logs/a/events', { 'last-event-id': '1.1.0' });
    assert.equal(await within.next(), event('1.1.1', 1_000, 1, 'two'));
    await within.cancel();
    const between = await EventReader.open(plane, '/queue/logs/a/events?after=1.1.1');
    assert.equal(await between.next(), event('1.3.0', 2_000, 3, 'three'));
    await between.cancel();
    const atTheEnd = await EventReader.open(plane, '/queue/logs/a/events', { 'last-event-id': '1.3.0' });
    assert.match((await atTheEnd.next()) ?? '', /event: end/);
    await atTheEnd.cancel();
  });

  test('is refused for a job that is not there, and from a place that is none', async () => {
    await using plane = await TestPlane.open();
    assert.equal((await plane.call('GET', '/queue/logs/gone/events')).status, 404);
    await logged(plane);
    assert.equal((await plane.call('GET', '/queue/logs/a/events?after=here')).status, 400);
  });

  test('ends with the control plane', async () => {
    await using plane = await TestPlane.open();
    await logged(plane);
    const events = await EventReader.open(plane, '/queue/logs/a/events?after=1.3.0');
    const next = events.next();
    plane.core.endWaits();
    assert.equal(await next, undefined);
  });
});
