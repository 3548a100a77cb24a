import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import { controlLimits } from '../../src/limits.ts';
import type { Post } from '../../src/queue/webhooks.ts';
import { column, TestPlane } from '../api/test-plane.ts';

interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const toldSchema = z.object({ change: z.number(), job: z.object({ job_id: z.string(), status: z.string() }) });

/** A receiver that answers as the test says. */
class Receiver {
  readonly sent: Sent[] = [];
  status = 200;
  readonly post: Post = ({ url, headers, body }) => {
    this.sent.push({ url, headers, body });
    return Promise.resolve(this.status);
  };

  /** The jobs and states of which it was told. */
  get told(): readonly string[] {
    return this.sent.map(({ body }) => {
      const { job } = toldSchema.parse(JSON.parse(body));
      return `${job.job_id} ${job.status}`;
    });
  }

  async until(count: number): Promise<void> {
    while (this.sent.length < count) await turn();
  }
}

const publish = (plane: TestPlane, body: object): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body: { payload: 1, ...body } });
const cancel = (plane: TestPlane, id: string): ReturnType<TestPlane['call']> =>
  plane.call('POST', `/queue/cancel/${id}`);
const set = (plane: TestPlane, body: object): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/webhooks/hook', { body: { url: 'http://receiver.test/in', ...body } });

suite('webhooks', () => {
  test('are told of the ends of jobs, in order, each with its number, and signed when there is a secret', async () => {
    const receiver = new Receiver();
    await using plane = await TestPlane.open({ post: receiver.post });
    await publish(plane, { job_id: 'before' });
    await cancel(plane, 'before');
    const made = await set(plane, { secret: 'sesame' });
    assert.deepEqual([made.status, made.body.signed, 'secret' in made.body], [200, true, false]);
    for (const id of ['a', 'b']) await publish(plane, { job_id: id });
    for (const id of ['a', 'b']) await cancel(plane, id);
    await receiver.until(2);
    assert.deepEqual(receiver.told, ['a cancelled', 'b cancelled']);
    const [first] = receiver.sent;
    assert.ok(first);
    const signature = createHmac('sha256', 'sesame').update(first.body).digest('hex');
    assert.equal(first.headers['x-mvm-ci-signature'], `sha256=${signature}`);
    assert.equal(first.headers['x-mvm-ci-delivery'], `hook:${JSON.parse(first.body).change}`);
  });

  test('send the password of their URL, and show it to nobody', async () => {
    const receiver = new Receiver();
    await using plane = await TestPlane.open({ post: receiver.post });
    const url = 'https://ann:pass@receiver.test/in?a=b';
    const made = await set(plane, { url });
    const [listed] = column((await plane.call('GET', '/webhooks')).body, 'url');
    assert.deepEqual([made.body.url, listed], Array(2).fill('https://ann:***@receiver.test/in?a=b'));
    await publish(plane, { job_id: 'a' });
    await cancel(plane, 'a');
    await receiver.until(1);
    assert.equal(receiver.sent[0]?.url, url);
  });

  test('are told of the states and the queue that they name, and no others', async () => {
    const receiver = new Receiver();
    await using plane = await TestPlane.open({ post: receiver.post });
    await set(plane, { states: ['pending'], queue: 'mail' });
    await publish(plane, { job_id: 'a' });
    await publish(plane, { job_id: 'b', queue: 'mail' });
    await receiver.until(1);
    assert.deepEqual(receiver.told, ['b pending']);
  });

  test('are told again what was not taken, until it is, and of nothing else before', async () => {
    const receiver = new Receiver();
    receiver.status = 503;
    await using plane = await TestPlane.open({ post: receiver.post });
    await set(plane, {});
    for (const id of ['a', 'b']) await publish(plane, { job_id: id });
    for (const id of ['a', 'b']) await cancel(plane, id);
    await receiver.until(1);
    const shown = async (): Promise<unknown> => column((await plane.call('GET', '/webhooks')).body, 'error')[0];
    while ((await shown()) === null) await turn();
    assert.equal(await shown(), 'it answered with status 503');
    receiver.status = 204;
    plane.clock.advance(controlLimits.webhookRetryMs);
    await receiver.until(3);
    assert.deepEqual(receiver.told, ['a cancelled', 'a cancelled', 'b cancelled']);
    assert.equal(receiver.sent[0]?.headers['x-mvm-ci-delivery'], receiver.sent[1]?.headers['x-mvm-ci-delivery']);
  });

  test('go on after a restart where they were', async () => {
    const receiver = new Receiver();
    await using plane = await TestPlane.open({ post: receiver.post });
    const { body } = await set(plane, {});
    await publish(plane, { job_id: 'a' });
    await cancel(plane, 'a');
    while ((await plane.call('GET', '/webhooks')).body[0].change === body.change) await turn();
    await plane.restart();
    await publish(plane, { job_id: 'b' });
    await cancel(plane, 'b');
    await receiver.until(2);
    assert.deepEqual(receiver.told, ['a cancelled', 'b cancelled']);
  });

  test('tell each end once when they are set twice at the same time', async () => {
    const receiver = new Receiver();
    await using plane = await TestPlane.open({ post: receiver.post });
    await set(plane, {});
    await Promise.all([set(plane, { queue: 'mail' }), set(plane, { queue: 'mail' }), set(plane, { queue: 'mail' })]);
    for (const id of ['a', 'b']) {
      await publish(plane, { job_id: id, queue: 'mail' });
      await cancel(plane, id);
      await receiver.until(id === 'a' ? 1 : 2);
    }
    while ((await plane.call('GET', '/webhooks')).body[0].change < JSON.parse(receiver.sent[1]?.body ?? '').change)
      await turn();
    assert.deepEqual(receiver.told, ['a cancelled', 'b cancelled']);
  });

  test('give up what is never taken, count it, and are gone when they are deleted', async () => {
    const receiver = new Receiver();
    receiver.status = 500;
    await using plane = await TestPlane.open({ post: receiver.post });
    await set(plane, {});
    await publish(plane, { job_id: 'a' });
    await cancel(plane, 'a');
    for (let tries = 1; tries <= controlLimits.webhookTriesMax; tries += 1) {
      await receiver.until(tries);
      const timers = plane.clock.pending;
      for (let turns = 0; turns < 50 && plane.clock.pending === timers; turns += 1) await turn();
      plane.clock.advance(controlLimits.webhookRetryMsMax);
    }
    while ((await plane.call('GET', '/webhooks')).body[0].dropped === 0) await turn();
    assert.equal(receiver.sent.length, controlLimits.webhookTriesMax);
    assert.equal((await plane.call('POST', '/webhooks/hook/delete')).status, 200);
    assert.deepEqual(column((await plane.call('GET', '/webhooks')).body, 'webhook'), []);
    const again = await plane.call('POST', '/webhooks/hook/delete');
    assert.deepEqual([again.status, again.body.error.code], [404, 'WEBHOOK_NOT_FOUND']);
    assert.equal((await set(plane, { url: 'ftp://receiver.test' })).status, 400);
  });
});
