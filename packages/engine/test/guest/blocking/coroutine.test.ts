import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextMacrotask } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encodeWireIntents, wasiModule, wasiProgram } from '@mvm-ci/testkit';
import { ProgramEnd } from '../../../src/guest/blocking/program-end.ts';
import { Coroutine } from '../../../src/guest/blocking/coroutine.ts';
import { FuelMeter } from '../../../src/guest/fuel/metering.ts';
import { openWasiGuest } from '../../../src/guest/wasi/wasi-guest.ts';
import { prepareCore } from '../../../src/module/core-module.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

const host = { wait: <T>(ready: Promise<T>): Promise<T> => ready, meter: new FuelMeter(testMetering()) };
const hostOfItsOwn = (): typeof host => ({ ...host, meter: new FuelMeter(testMetering()) });
const start = { type: 'start', job: 'j', attempt: 1, workflow: 'w', input: '{}', seed: new Uint8Array(32) } as const;
const answer = (call: number) => ({ type: 'answer', call, answer: { type: 'slept' } }) as const;
const sleep = { type: 'sleep', ms: 5 } as const;

/** A coroutine whose program is written here: what waits is an async function instead of a stack. */
const coroutine = (run: (calls: Coroutine) => Promise<string>): Coroutine =>
  new Coroutine(
    { run: async (_start, calls) => [{ type: 'complete', result: await run(calls) }], load: () => [] },
    host,
  );

describe('a coroutine', () => {
  it('ends a step where an answer is missing, and goes on when it is there', async () => {
    const guest = coroutine(async (calls) => {
      const first = calls.ask(sleep);
      const second = calls.ask(sleep);
      await calls.take(second);
      await calls.take(first);
      return '"end"';
    });
    assert.deepEqual(await guest.step({ now: 1, events: [start] }), [
      { ...sleep, call: 1 },
      { ...sleep, call: 2 },
    ]);
    assert.deepEqual(await guest.step({ now: 2, events: [answer(1)] }), [], 'not the one that it waits for');
    assert.deepEqual(await guest.step({ now: 3, events: [answer(2)] }), [{ type: 'complete', result: '"end"' }]);
  });

  it('takes answers in the order in which they came when it waits for any', async () => {
    const order: number[] = [];
    const guest = coroutine(async (calls) => {
      for (let index = 0; index < 3; index += 1) calls.ask(sleep);
      while (calls.pending > 0) order.push((await calls.take(0)).call);
      return '1';
    });
    await guest.step({ now: 1, events: [start] });
    await guest.step({ now: 1, events: [answer(3), answer(1)] });
    await guest.step({ now: 1, events: [answer(2)] });
    assert.deepEqual(order, [3, 1, 2]);
  });

  it('drops the answer of a call that was abandoned, and refuses to wait for it', async () => {
    const guest = coroutine(async (calls) => {
      const call = calls.ask(sleep);
      calls.ask(sleep);
      calls.abandon(call);
      await calls.take(2);
      await calls.take(call);
      return '1';
    });
    assert.deepEqual((await guest.step({ now: 1, events: [start] })).at(-1), { type: 'abandon', call: 1 });
    await assert.rejects(async () => guest.step({ now: 1, events: [answer(1), answer(2)] }), {
      message: /names call 1, .* which it abandoned/,
    });
  });

  it('is unwound at its next wait when it was closed while it ran', async () => {
    let end: unknown;
    const guest = coroutine(async (calls) => {
      await calls.take(calls.ask(sleep));
      try {
        await calls.take(calls.ask(sleep));
      } catch (error) {
        end = error;
      }
      return '1';
    });
    await guest.step({ now: 1, events: [start] });
    void guest.step({ now: 2, events: [answer(1)] });
    guest.close();
    await nextMacrotask();
    assert.ok(end instanceof ProgramEnd);
  });
});

const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

describe('a suspended stack', () => {
  const program = wasiProgram({
    data: { sleep: encodeWireIntents([{ type: 'sleep', call: 1, ms: 5 }]) },
    main: '(drop (call $wait (call $submit (global.get $sleep) (global.get $sleep_len)))) unreachable',
  });

  it('is freed with its memory when its guest is closed, and no rejection is left behind', async () => {
    const rejections: unknown[] = [];
    const keep = (reason: unknown): void => void rejections.push(reason);
    process.on('unhandledRejection', keep);
    const module = await prepareCore(wasiModule(await program), 1 << 24);
    const closed: Coroutine[] = [];
    // Far more than a process could hold at once: each suspended guest has a stack and a memory of its own.
    for (let round = 0; round < 40; round += 1) {
      const guests = Array.from({ length: 500 }, () => openWasiGuest({ module, isText: false }, hostOfItsOwn()));
      for (const guest of guests) assert.equal((await guest.step({ now: 1, events: [start] })).length, 1);
      for (const guest of guests) guest.close();
      closed.push(...guests);
      await nextMacrotask();
      collect();
    }
    process.off('unhandledRejection', keep);
    assert.deepEqual(rejections, []);
    assert.equal(closed.length, 20_000);
  });

  it('may be closed twice, before its first step and in the turn in which it is answered', async () => {
    const module = await prepareCore(wasiModule(await program), 1 << 24);
    openWasiGuest({ module, isText: false }, hostOfItsOwn()).close();
    const guest = openWasiGuest({ module, isText: false }, hostOfItsOwn());
    await guest.step({ now: 1, events: [start] });
    const late = guest.step({ now: 2, events: [answer(1)] });
    guest.close();
    guest.close();
    const outcome = await Promise.race([late, nextMacrotask('nobody is told')]);
    assert.equal(outcome, 'nobody is told');
  });
});
