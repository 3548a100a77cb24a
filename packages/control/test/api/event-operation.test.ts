import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { EventReader } from '../fixtures/event-reader.ts';
import { TestPlane } from './test-plane.ts';

const publish = (plane: TestPlane, id: string): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body: { job_id: id, payload: id } });

suite('the event stream', () => {
  test('tells of changes as they are committed', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'before');
    const events = await EventReader.open(plane, '/queue/events');
    const first = events.job();
    await publish(plane, 'a');
    assert.equal(await first, '2 a pending');
    await plane.call('POST', '/queue/cancel/a', { body: {} });
    assert.equal(await events.job(), '3 a cancelled');
    await events.cancel();
  });

  test('resumes after a change, by `after` or by Last-Event-ID, with the latest state of each job', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'a');
    await publish(plane, 'b');
    await plane.call('POST', '/queue/cancel/a', { body: {} });
    const all = await EventReader.open(plane, '/queue/events?after=0');
    assert.deepEqual([await all.job(), await all.job()], ['2 b pending', '3 a cancelled']);
    await all.cancel();
    await plane.restart();
    const rest = await EventReader.open(plane, '/queue/events', { 'last-event-id': '2' });
    assert.equal(await rest.job(), '3 a cancelled');
    await rest.cancel();
  });

  test('says where it begins, so that a reader who saw no job before it broke misses none', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'before');
    const events = await EventReader.open(plane, '/queue/events');
    assert.equal(await events.next(), 'id: 1\nevent: begin\ndata: {"change":1}');
    await events.cancel();
    await publish(plane, 'between');
    const resumed = await EventReader.open(plane, '/queue/events', { 'last-event-id': '1' });
    assert.equal(await resumed.job(), '2 between pending');
    await resumed.cancel();
  });

  test('tells a reader of what comes who has read more than there is, as before a backup was put back', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'a');
    const events = await EventReader.open(plane, '/queue/events?after=1000');
    assert.equal(await events.next(), 'id: 1\nevent: begin\ndata: {"change":1}');
    await publish(plane, 'b');
    assert.equal(await events.job(), '2 b pending');
    await events.cancel();
  });

  test('tells of the jobs that fit a filter, past any number of others', async () => {
    await using plane = await TestPlane.open();
    const jobs = Array.from({ length: controlLimits.eventRowsMax * 2 }, (_, index) => ({
      job_id: `j${index}`,
      payload: 1,
    }));
    await plane.call('POST', '/queue/publish-many', { body: { jobs } });
    const wanted = { job_id: 'a', payload: 1, queue: 'mail', key: 'ann', tags: ['eu'] };
    await plane.call('POST', '/queue/publish', { body: wanted });
    await plane.call('POST', '/queue/cancel/j0', { body: {} });
    await plane.call('POST', '/queue/cancel/a', { body: {} });
    for (const filter of ['queue=mail', 'key=ann&state=cancelled', 'tag=eu', 'queue=mail&error=CANCELLED']) {
      const events = await EventReader.open(plane, `/queue/events?after=0&${filter}`);
      assert.match(await events.job(), /^\d+ a cancelled$/, filter);
      await events.cancel();
    }
    const live = await EventReader.open(plane, '/queue/events?state=live&queue=mail');
    const next = live.job();
    await publish(plane, 'other');
    await plane.call('POST', '/queue/publish', { body: { ...wanted, job_id: 'b' } });
    assert.match(await next, /^\d+ b pending$/);
    await live.cancel();
    assert.equal((await plane.call('GET', '/queue/events?state=asleep')).status, 400);
  });

  test('reads no more than its reader takes', async () => {
    await using plane = await TestPlane.open();
    const jobs = Array.from({ length: 500 }, (_, index) => ({ job_id: `j${index}`, payload: 1 }));
    await plane.call('POST', '/queue/publish-many', { body: { jobs } });
    const events = await EventReader.open(plane, '/queue/events?after=0');
    for (let index = 0; index < 500; index += 1) assert.equal(await events.job(), `${index + 1} j${index} pending`);
    await events.cancel();
  });

  test('writes no more at once than may wait for a reader who reads nothing', async () => {
    await using plane = await TestPlane.open();
    const payload = 'x'.repeat(controlLimits.listedTextBytesMax / 2);
    const jobs = Array.from({ length: 40 }, (_, index) => ({ job_id: `j${index}`, payload }));
    await plane.call('POST', '/queue/publish-many', { body: { jobs } });
    const response = await plane.open('GET', '/queue/events?after=0');
    assert.ok(response.body);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let [text, longest] = ['', 0];
    while (!text.includes('"job_id":"j39"')) {
      const piece = String((await reader.read()).value);
      longest = Math.max(longest, piece.length);
      text += piece;
    }
    assert.deepEqual(
      [...text.matchAll(/^data: \{"job_id":"(\w+)"/gm)].map(([, id]) => id),
      jobs.map((job) => job.job_id),
    );
    assert.ok(longest < controlLimits.eventCharsMax + 2 * payload.length, `${longest} characters at once`);
    await reader.cancel();
  });

  test('is not open for a HEAD, which has no body to read', async () => {
    await using plane = await TestPlane.open();
    for (let asked = 0; asked <= controlLimits.eventStreamsMax; asked += 1) {
      const { status, headers } = await plane.call('HEAD', '/queue/events');
      assert.deepEqual([status, headers.get('content-type')], [200, 'text/event-stream']);
    }
    const events = await EventReader.open(plane, '/queue/events');
    await publish(plane, 'a');
    assert.equal(await events.job(), '1 a pending');
    await events.cancel();
  });

  test('says that it is still there when nothing happens', async () => {
    await using plane = await TestPlane.open();
    const events = await EventReader.open(plane, '/queue/events');
    await events.next();
    const comment = events.next();
    plane.clock.advance(controlLimits.eventKeepAliveMs);
    assert.equal(await comment, ': still here');
    await events.cancel();
  });

  test('ends with the control plane', async () => {
    await using plane = await TestPlane.open();
    const events = await EventReader.open(plane, '/queue/events');
    await events.next();
    const end = events.next();
    plane.core.endWaits();
    assert.equal(await end, undefined);
  });
});
