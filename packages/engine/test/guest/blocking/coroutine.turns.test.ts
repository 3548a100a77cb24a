/** Programs that compute for longer than a turn of their thread: what others can do meanwhile, and that nothing else depends on it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextMacrotask } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Intent, ModuleFile } from '@mvm-ci/protocol';
import { flawlessModule, wasiModule, wasiProgram } from '@mvm-ci/testkit';
import type { Coroutine } from '../../../src/guest/blocking/coroutine.ts';
import { openFlawlessGuest } from '../../../src/guest/flawless/flawless-guest.ts';
import { FuelMeter } from '../../../src/guest/fuel/metering.ts';
import { openWasiGuest } from '../../../src/guest/wasi/wasi-guest.ts';
import { engineLimits, type GuestLimits } from '../../../src/limits.ts';
import { prepareCore } from '../../../src/module/core-module.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

const start = { type: 'start', job: 'j', attempt: 1, workflow: 'main', input: '{}', seed: new Uint8Array(32) } as const;
const slept = (call: number) => ({ type: 'answer', call, answer: { type: 'slept' } }) as const;

interface Play {
  /** What passes at each look at the clock: `engineLimits.turnMs` ends a turn with each slice, 0 none. */
  readonly msPerLook: number;
  /** What passes while the guest waits for its turn. @default 0 */
  readonly msAway?: number;
  /** When a guest may go on whose turn was over. @default at once */
  readonly goOn?: () => Promise<void>;
  readonly limits?: Partial<GuestLimits>;
}

interface Played {
  readonly guest: Coroutine;
  readonly meter: FuelMeter;
  /** How often it was suspended. */
  readonly turns: () => number;
}

/** A guest that has a thread and a clock for itself. */
const play = async (file: ModuleFile, { msPerLook, msAway = 0, goOn, limits }: Play): Promise<Played> => {
  let [nowMs, turns] = [0, 0];
  const metering = testMetering(limits, () => (nowMs += msPerLook));
  const meter = new FuelMeter(metering);
  const wait = async <T>(ready: Promise<T>): Promise<T> => {
    turns += 1;
    nowMs += msAway;
    // Others run meanwhile.
    metering.inUse = undefined;
    await goOn?.();
    return ready;
  };
  const module = await prepareCore(file, 1 << 24);
  const host = { wait, meter };
  const guest = file.kind === 'wasi' ? openWasiGuest({ module, isText: false }, host) : openFlawlessGuest(module, host);
  return { guest, meter, turns: () => turns };
};

const atEachSlice = { msPerLook: engineLimits.turnMs };
const never = { msPerLook: 0 };

const countTo = (local: string, count: number): string =>
  `(loop $on (br_if $on (i32.lt_u (local.tee ${local} (i32.add (local.get ${local}) (i32.const 1))) (i32.const ${count}))))`;
const isLong = 1_000_000;
const endless = '(loop $on (br $on))';
const six = { data: { six: '6' } };
const sayIt = '(call $out (global.get $six) (i32.const 1))';

/** One of each kind that computes for a few slices, sleeps, and does so again. */
const programs = async (): Promise<Readonly<Record<string, ModuleFile>>> => ({
  wasi: wasiModule(
    await wasiProgram({
      main: `${countTo('$a', isLong)} (call $sleep_ms (i64.const 1)) ${countTo('$b', isLong)} ${sayIt}`,
      ...six,
    }),
  ),
  flawless: await flawlessModule({
    commands: [{ Sleep: { secs: 0, nanos: 1_000_000 } }, { SendResponse: '6' }],
    end: `(global.set $length (i32.const 0))
      (loop $on (global.set $length (i32.add (global.get $length) (i32.const 1)))
        (br_if $on (i32.lt_u (global.get $length) (i32.const ${isLong}))))`,
    alloc: countTo('$i', isLong),
  }),
});

/** What it asks for in its two steps. */
const live = async (guest: Coroutine): Promise<readonly (readonly Intent[])[]> => [
  await guest.step({ now: 1, events: [start] }),
  await guest.step({ now: 2, events: [slept(1)] }),
];

for (const [kind, file] of Object.entries(await programs()))
  describe(`a ${kind} program that computes in turns`, () => {
    it('asks for the same and uses the same fuel', async () => {
      const whole = await play(file, never);
      const shared = await play(file, atEachSlice);
      const asked = await live(whole.guest);
      assert.equal(asked[1]?.at(-1)?.type, 'complete');
      assert.deepEqual(await live(shared.guest), asked);
      assert.equal(shared.meter.left, whole.meter.left);
      // One is for the sleep, and a flawless guest has one between its two functions.
      assert.ok(shared.turns() >= whole.turns() + 4, `${shared.turns()} turns against ${whole.turns()}`);
    });

    it('exhausts its budget at the same charge', async () => {
      const uses = async (how: Play): Promise<number> => {
        const { guest, meter } = await play(file, { ...how, limits: { fuelMax: 12_000_007 } });
        await assert.rejects(live(guest), { message: /12000007 units of fuel/ });
        return meter.left;
      };
      const left = await uses(never);
      assert.ok(left < 0);
      assert.equal(await uses(atEachSlice), left);
    });
  });

describe('the time of a step', () => {
  const program = async (): Promise<ModuleFile> => wasiModule(await wasiProgram({ main: endless }));

  it('is what the guest computed, however long it waited for its turns', async () => {
    const limits = { stepMsMax: 100 * engineLimits.turnMs };
    const ends = async (msAway: number): Promise<number> => {
      const { guest, turns } = await play(await program(), { ...atEachSlice, msAway, limits });
      await assert.rejects(async () => guest.step({ now: 1, events: [start] }), { message: /did not end within/ });
      return turns();
    };
    const alone = await ends(0);
    assert.ok(alone > 10, `${alone} turns`);
    assert.equal(await ends(1_000_000), alone);
  });
});

const collect = ((): (() => void) => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

describe('a program that was closed while others had their turns', () => {
  it('computes no further, is told to nobody, and nothing of it is left', async () => {
    const rejections: unknown[] = [];
    const keep = (reason: unknown): void => void rejections.push(reason);
    process.on('unhandledRejection', keep);
    const file = wasiModule(await wasiProgram({ main: endless }));
    const closed: WeakRef<Coroutine>[] = [];
    const closeOne = async (): Promise<void> => {
      const [away, back] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const goOn = (): Promise<void> => {
        away.resolve();
        return back.promise;
      };
      const { guest, meter, turns } = await play(file, { ...atEachSlice, goOn });
      let isTold = false;
      const told = (): void => void (isTold = true);
      void Promise.resolve(guest.step({ now: 1, events: [start] })).then(told, told);
      await away.promise;
      guest.close();
      const { left } = meter;
      back.resolve();
      await nextMacrotask();
      assert.deepEqual([turns(), meter.left, isTold], [1, left, false]);
      closed.push(new WeakRef(guest));
    };
    for (let count = 0; count < 20; count += 1) await closeOne();
    await nextMacrotask();
    collect();
    await nextMacrotask();
    process.off('unhandledRejection', keep);
    assert.deepEqual(rejections, []);
    assert.equal(closed.filter((guest) => guest.deref() !== undefined).length, 0);
  });
});

describe('a call that is answered at once', () => {
  it('leaves the guest where it is: nobody else has a turn before it waits', async () => {
    const now =
      '(drop (call $pending)) (i64.store (i32.const 64) (i64.const 7)) (i64.store (i32.const 72) (i64.const 1))';
    const poll = `${now} (drop (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 60)))`;
    const file = wasiModule(
      await wasiProgram({ main: `${poll} ${countTo('$a', isLong)} (call $sleep_ms (i64.const 1))` }),
    );
    const { guest, meter } = await play(file, never);
    const step = guest.step({ now: 1, events: [start] });
    const { left } = meter;
    assert.equal(guest.made, 1, 'it sleeps already');
    await step;
    assert.equal(meter.left, left);
  });
});

describe('a flawless guest that is closed between its two functions', () => {
  it('runs the second one no more', async () => {
    const [away, back] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const goOn = (): Promise<void> => {
      away.resolve();
      return back.promise;
    };
    const commands = [{ Sleep: { secs: 0, nanos: 1_000_000 } }];
    const { guest } = await play(await flawlessModule({ commands }), { ...never, goOn });
    void guest.step({ now: 1, events: [start] });
    await away.promise;
    guest.close();
    back.resolve();
    await nextMacrotask();
    assert.equal(guest.made, 0);
  });
});

describe('code that can not be suspended', () => {
  it('ends the guest when it waits: a start function', async () => {
    const functions = '(func $nap (call $sleep_ms (i64.const 1))) (start $nap)';
    const { guest } = await play(wasiModule(await wasiProgram({ main: '', functions })), never);
    await assert.rejects(async () => guest.step({ now: 1, events: [start] }), { message: /waits where it can not/ });
  });

  it('computes in one turn: a start function, in a step and in a probe', async () => {
    const functions = `(func $begin (local $i i32) ${countTo('$i', isLong)}) (start $begin)`;
    const file = wasiModule(await wasiProgram({ main: sayIt, functions, ...six }));
    const { guest, turns } = await play(file, atEachSlice);
    assert.deepEqual(await guest.step({ now: 1, events: [start] }), [{ type: 'complete', result: '6' }]);
    const probed = await play(file, atEachSlice);
    assert.deepEqual(probed.guest.probe(), []);
    assert.deepEqual([turns(), probed.turns()], [0, 0]);
  });

  it('computes in one turn: the allocator of a flawless module, within a command and after a wait', async () => {
    const commands = ['GetInput', { Sleep: { secs: 0, nanos: 1_000_000 } }, 'GetInput'];
    const file = await flawlessModule({ commands, alloc: countTo('$i', isLong) });
    const { guest } = await play(file, atEachSlice);
    const [, last] = await live(guest);
    assert.deepEqual(last?.at(-1), { type: 'complete', result: 'null' });
  });
});
