import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { LeaseGate } from '../../src/link/lease-gate.ts';

const never = new AbortController().signal;

describe('LeaseGate', () => {
  let nowMs = 0;
  let asks: number[] = [];
  let gate: LeaseGate;

  beforeEach(() => {
    nowMs = 0;
    asks = [];
    gate = new LeaseGate({ clock: { monotonicMs: () => nowMs }, onAsk: (ask) => asks.push(ask) });
  });

  it('knows no deadline at first: it asks, once for all that wait', async () => {
    const waiting = [1, 2].map(() => Promise.resolve(gate.mayStartEffect(never)));
    assert.deepEqual(asks, [1]);
    gate.answer(1, 100);
    assert.deepEqual(await Promise.all(waiting), [true, true]);
  });

  it('counts the time left from the moment at which it asked, not from the answer', () => {
    gate.renew(0, 100);
    nowMs = 99;
    assert.equal(gate.mayStartEffect(never), true);
    nowMs = 100;
    assert.notEqual(gate.mayStartEffect(never), true);
  });

  it('never moves the deadline back', () => {
    gate.renew(0, 100);
    gate.renew(10, 5);
    nowMs = 50;
    assert.equal(gate.mayStartEffect(never), true);
  });

  it('asks again when the answer took longer than the lease', async () => {
    const waiting = gate.mayStartEffect(never);
    nowMs = 200;
    gate.answer(1, 100);
    assert.deepEqual(asks, [1, 2]);
    nowMs = 210;
    gate.answer(2, 100);
    assert.equal(await waiting, true);
  });

  it('is opened by an ack as well', async () => {
    const waiting = gate.mayStartEffect(never);
    gate.renew(0, 100);
    assert.equal(await waiting, true);
  });

  it('shuts for ever when the lease is lost', async () => {
    const waiting = gate.mayStartEffect(never);
    gate.answer(1, 0);
    assert.equal(await waiting, false);
    gate.renew(0, 1_000);
    assert.equal(gate.mayStartEffect(never), false);
  });

  it('takes no answer to what it did not ask', async () => {
    const waiting = gate.mayStartEffect(never);
    gate.answer(7, 0);
    gate.answer(1, 100);
    assert.equal(await waiting, true);
    gate.answer(1, 0);
    assert.equal(gate.mayStartEffect(never), true);
  });

  it('lets go of an effect that is aborted while it waits', async () => {
    const abort = new AbortController();
    const waiting = gate.mayStartEffect(abort.signal);
    abort.abort();
    assert.equal(await waiting, false);
    assert.equal(gate.mayStartEffect(abort.signal), false);
  });
});
