import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { workflowModule } from '@mvm-ci/testkit';
import {
  GuestThreads,
  type GuestHandle,
  type GuestModule,
  type ResumedState,
  type StandingState,
} from '../../src/guest/guest-threads.ts';
import { defaultGuestLimits } from '../../src/limits.ts';
import type { GuestStep } from '../../src/run/activation.ts';
import { systemClock } from '../../src/system-clock.ts';
import { compileQuickjs } from '../../src/system-quickjs.ts';

const scriptOf = (source: string): string => new TextDecoder().decode(workflowModule(source).code);
const moduleOf = (id: number, source: string): GuestModule => ({
  id,
  code: { kind: 'javascript', script: scriptOf(source) },
});
/** Sleeps longer each time, for a reason that it draws and keeps. */
const source = 'const kept = []; for (;;) { kept.push(Math.random()); await sleep(kept.length); }';
const counter = moduleOf(1, source);
const open = async (options: { residentGuestsMax?: number; threads?: number } = {}): Promise<GuestThreads> =>
  new GuestThreads({
    threads: 1,
    quickjs: await compileQuickjs(),
    limits: defaultGuestLimits,
    clock: systemClock,
    ...options,
  });

/** Where a state has what is left of its fuel (`memory-difference.ts`). */
const fuelAt = 8;
const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);
const sleepOf = (call: number): GuestStep['recorded'] => [{ type: 'sleep', call, ms: call }];
/** Steps of the counter, the last one not recorded yet. */
const steps = (count: number, seed = 1): readonly GuestStep[] =>
  Array.from({ length: count }, (_, index) => ({
    activation: {
      now: index,
      events:
        index === 0
          ? [{ type: 'start', job: 'j', attempt: 1, workflow: 'main', input: '{}', seed: seedOf(seed) }]
          : [{ type: 'answer', call: index, answer: { type: 'slept' } }],
    },
    recorded: index === count - 1 ? null : sleepOf(index + 1),
  }));

/** Brings the guest to the end of `count` steps. @returns the first step that it asked for */
const bring = async (guest: GuestHandle, count: number, seed = 1): Promise<number> => {
  let asked = Number.NaN;
  const outcome = await guest.step((first) => {
    asked = first;
    return steps(count, seed).slice(first);
  });
  assert.deepEqual(outcome, { type: 'stepped', intents: sleepOf(count) });
  return asked;
};
const captured = async (guest: GuestHandle): Promise<ResumedState> => {
  const standing = await guest.capture();
  assert.ok(standing);
  return { ...standing, seed: seedOf(1) };
};

describe('the state of a guest', () => {
  it('lets it go on in another thread, to the memory that a replay from the first step has', async () => {
    await using first = await open();
    const original = first.open(counter);
    await bring(original, 30);
    const standing = await captured(original);
    assert.equal(standing.steps, 30);
    await using second = await open();
    const [resumed, replayed] = [second.open(counter, standing), second.open(counter)];
    assert.equal(await bring(resumed, 35), 30);
    assert.equal(await bring(replayed, 35), 0);
    const hash = await replayed.memoryHash();
    assert.match(hash ?? '', /^[\da-f]{64}$/);
    assert.equal(await resumed.memoryHash(), hash);
    assert.equal(await bring(original, 35), 30, 'who was asked for its state goes on undisturbed');
    assert.equal(await original.memoryHash(), hash);
    await bring(replayed, 36);
    assert.notEqual(await replayed.memoryHash(), hash);
  });

  it('has as much fuel left, whether it was lived through, replayed after the guest left memory, or resumed', async () => {
    const fuelOf = ({ state }: StandingState): number => zstdDecompressSync(state.bytes).readDoubleLE(fuelAt);
    await using threads = await open({ residentGuestsMax: 1 });
    const live = threads.open(counter);
    await bring(live, 30);
    const half = await captured(live);
    await bring(live, 40);
    const left = fuelOf(await captured(live));
    assert.ok(left < fuelOf(half) && fuelOf(half) < defaultGuestLimits.fuelMax);
    const others = [threads.open(counter), threads.open(counter, half), threads.open(counter)];
    // In turns, so that each is dropped from memory by the next one.
    for (const count of [35, 40]) for (const guest of others) await bring(guest, count);
    for (const guest of others) {
      await bring(guest, 40);
      assert.equal(fuelOf(await captured(guest)), left);
    }
  });

  it('can be taken out of a guest that began with one', async () => {
    await using threads = await open();
    const first = threads.open(counter);
    await bring(first, 3);
    const second = threads.open(counter, await captured(first));
    await bring(second, 6);
    const third = threads.open(counter, await captured(second));
    assert.equal(await bring(third, 7), 6);
    await bring(first, 7);
    assert.equal(await third.memoryHash(), await first.memoryHash());
  });

  it('is ignored when it does not fit, and the guest replays', async () => {
    await using threads = await open();
    const original = threads.open(counter);
    await bring(original, 5);
    const { state } = await captured(original);
    const stranger = threads.open(counter);
    await bring(stranger, 5, 2);
    const other = threads.open(moduleOf(2, `${source} // other`));
    await bring(other, 5);
    const damaged = state.bytes.map((byte, index) => (index === 60 ? byte ^ 1 : byte));
    const unfit = {
      damaged: { ...state, bytes: damaged },
      'of another image': { ...state, imageHash: '00'.repeat(32) },
      'of another attempt': (await captured(stranger)).state,
      'of another module': (await captured(other)).state,
    };
    for (const [what, wrong] of Object.entries(unfit)) {
      const guest = threads.open(counter, { steps: 5, state: wrong, seed: seedOf(1) });
      assert.equal(await bring(guest, 6), 0, what);
      guest.close();
    }
  });

  it('is kept when a guest with many steps leaves its memory to another one', async () => {
    await using threads = await open({ residentGuestsMax: 1 });
    const [long, short] = [threads.open(counter), threads.open(counter)];
    await bring(long, 64);
    await bring(short, 63);
    assert.equal(await bring(long, 65), 64);
    assert.equal(await bring(short, 64), 0);
  });

  it('does not exist while a guest is in a step, before its first one, and after its end', async () => {
    await using threads = await open();
    const guest = threads.open(counter);
    assert.equal(await guest.capture(), undefined);
    const stepping = bring(guest, 1);
    assert.equal(await guest.capture(), undefined);
    await stepping;
    guest.close();
    assert.equal(await guest.capture(), undefined);
    assert.equal(await guest.memoryHash(), undefined);
  });

  it('is answered to everybody who asks at the same time, and before the next step', async () => {
    await using threads = await open();
    const guest = threads.open(counter);
    await bring(guest, 2);
    const asked = [guest.capture(), guest.memoryHash(), guest.capture()] as const;
    const stepped = bring(guest, 3);
    const [first, hash, second] = await Promise.all(asked);
    assert.equal(first?.steps, 2);
    assert.ok(hash);
    assert.equal(second?.steps, 2);
    assert.equal(await stepped, 2);
  });
});
