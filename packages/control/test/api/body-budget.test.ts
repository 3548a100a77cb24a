import { limits, pack } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { BodyBudget } from '../../src/api/body-budget.ts';
import { controlLimits } from '../../src/limits.ts';
import { peer, TestPlane } from './test-plane.ts';

const slow = 'a'.repeat(64);
const honest = 'b'.repeat(64);
const claim = { incarnation: 'i1', capacity: 1 };

const joined = async (): Promise<TestPlane> => {
  const plane = await TestPlane.open();
  const token = 'own';
  await plane.core.tickets.keepOwn(token);
  for (const node of [slow, honest]) await plane.core.nodes.join({ node, name: node.slice(0, 4), token });
  return plane;
};

/** A request whose body has begun, and goes on when `end` is called. */
const trickle = (plane: TestPlane, headers: Readonly<Record<string, string>>, first: Uint8Array) => {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      source = controller;
      controller.enqueue(first);
    },
  });
  const request = new Request('http://test/peer/claim', { method: 'POST', headers, body, duplex: 'half' });
  return {
    answer: plane.api.fetch(request, peer(slow)),
    breakOff: () => source?.error(new Error('the sender is gone')),
  };
};

const codeOf = async (answer: Promise<Response>): Promise<unknown> =>
  ((await (await answer).json()) as { error?: { code: string } }).error?.code;

suite('the bodies that one node sends at the same time', () => {
  test('share a budget: what is announced beyond it is refused, until others are over; other nodes have their own', async () => {
    await using plane = await joined();
    const announced = { 'content-length': String(limits.requestBytesMax) };
    const fits = Math.floor(controlLimits.nodeBodyBytesMax / limits.requestBytesMax);
    const begun = Array.from({ length: fits }, () => trickle(plane, announced, Uint8Array.of(1)));
    await turn();
    assert.equal(await codeOf(trickle(plane, announced, Uint8Array.of(1)).answer), 'UNAVAILABLE');
    assert.equal((await plane.packed('/peer/claim', claim, peer(honest))).status, 200);
    for (const { breakOff } of begun) breakOff();
    for (const { answer } of begun) assert.equal(await codeOf(answer), 'CONNECTION_LOST');
    assert.equal((await plane.packed('/peer/claim', claim, peer(slow))).status, 200);
  });

  test('count as they come when no length is announced', async () => {
    await using plane = await joined();
    const piece = new Uint8Array(limits.requestBytesMax / 2);
    const begun = Array.from(
      { length: 2 * Math.ceil(controlLimits.nodeBodyBytesMax / limits.requestBytesMax) + 1 },
      () => trickle(plane, {}, piece),
    );
    const codes = await Promise.race(begun.map(({ answer }) => codeOf(answer)));
    assert.equal(codes, 'UNAVAILABLE');
    for (const { breakOff } of begun) breakOff();
    await Promise.all(begun.map(({ answer }) => answer));
    const headers = { 'content-type': 'application/msgpack', accept: 'application/msgpack' };
    const request = new Request('http://test/peer/claim', { method: 'POST', headers, body: pack(claim) });
    assert.equal((await plane.api.fetch(request, peer(slow))).status, 200);
  });

  test('give back what they took, once', () => {
    const budget = new BodyBudget(10);
    const first = budget.share('n');
    first.take(6);
    assert.throws(() => budget.share('n').take(5), { code: 'UNAVAILABLE' });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    budget.share('n').take(10);
  });
});
