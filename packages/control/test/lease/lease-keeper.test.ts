import type { LeaseRef } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { LeaseKeeper } from '../../src/lease/lease-keeper.ts';
import { controlLimits, defaultPeriods, type LeasePeriods } from '../../src/limits.ts';
import { noEffects, type Effects, type LeaseEffect } from '../../src/machine/effects.ts';
import { StillClock } from '../fixtures/still-clock.ts';

const w1 = { worker: 'w1', incarnation: 'i1' };
const { leaseMs, startGraceMs, bareLeaseMs } = defaultPeriods;
const late = controlLimits.expiryGranularityMs;

const claimed = (...leases: readonly Partial<LeaseEffect>[]): Effects => {
  const effects = noEffects(1);
  effects.leases.push(...leases.map((lease) => ({ job: 'a', epoch: 1, ...w1, bare: false, ...lease })));
  return effects;
};

class Bench {
  readonly clock = new StillClock();
  readonly expired: LeaseRef[] = [];
  failing = false;
  readonly keeper: LeaseKeeper = this.keeperWith({});

  keeperWith(periods: Partial<LeasePeriods>): LeaseKeeper {
    return new LeaseKeeper({
      clock: this.clock,
      periods: { ...defaultPeriods, ...periods },
      expire: (leases) => {
        if (this.failing) return Promise.reject(new Error('the disk is full'));
        this.expired.push(...leases.map(({ job, epoch }) => ({ job, epoch })));
        return Promise.resolve();
      },
    });
  }
}

suite('the lease keeper', () => {
  test('ends a lease that nobody extends, soon after its deadline and not before', () => {
    const { keeper, clock, expired } = new Bench();
    keeper.follow(claimed({}));
    clock.advance(leaseMs - 1);
    assert.deepEqual(expired, []);
    clock.advance(1 + late);
    assert.deepEqual(expired, [{ job: 'a', epoch: 1 }]);
    assert.deepEqual(keeper.heartbeat(w1, [{ job: 'a', epoch: 1 }]).lost, [{ job: 'a', epoch: 1 }]);
  });

  test('extends exactly what a heartbeat names: a claim whose answer got lost runs out', () => {
    const { keeper, clock, expired } = new Bench();
    keeper.follow(claimed({}, { job: 'b' }));
    for (let beat = 0; beat < 6; beat += 1) {
      clock.advance(500);
      assert.deepEqual(keeper.heartbeat(w1, [{ job: 'a', epoch: 1 }]), { lost: [], cancel: [] });
    }
    assert.deepEqual(expired, [{ job: 'b', epoch: 1 }]);
  });

  test('does not extend for another worker, another incarnation, another epoch, or a bare claim', () => {
    const { keeper } = new Bench();
    keeper.follow(claimed({}, { job: 'bare', bare: true, incarnation: '' }));
    const a = { job: 'a', epoch: 1 };
    assert.deepEqual(keeper.heartbeat({ ...w1, worker: 'w2' }, [a]).lost, [a]);
    assert.deepEqual(keeper.heartbeat({ ...w1, incarnation: 'i2' }, [a]).lost, [a]);
    assert.deepEqual(keeper.heartbeat(w1, [{ job: 'a', epoch: 2 }]).lost, [{ job: 'a', epoch: 2 }]);
    assert.deepEqual(keeper.heartbeat({ ...w1, incarnation: '' }, [{ job: 'bare', epoch: 1 }]).lost.length, 1);
    assert.deepEqual(keeper.heartbeat(w1, [{ job: 'nowhere', epoch: 1 }]).lost.length, 1);
  });

  test('ends nothing in the grace time after a start, and keeps what is extended in it', () => {
    const { keeper, clock, expired } = new Bench();
    const stored = { ...w1, attempt: 1, epoch: 3, bare: false, cancelReason: null, isMoved: false };
    keeper.load([
      { ...stored, job: 'a' },
      { ...stored, job: 'b' },
    ]);
    clock.advance(startGraceMs - 1);
    assert.deepEqual(expired, []);
    keeper.heartbeat(w1, [{ job: 'a', epoch: 3 }]);
    clock.advance(1 + late);
    assert.deepEqual(expired, [{ job: 'b', epoch: 3 }]);
  });

  test('without a grace time ends all leases of the process before at once, but those of bare claims', () => {
    const bench = new Bench();
    const keeper = bench.keeperWith({ startGraceMs: 0 });
    const stored = { ...w1, attempt: 1, epoch: 3, cancelReason: null, isMoved: false };
    keeper.load([
      { ...stored, job: 'a', bare: false },
      { ...stored, job: 'b', bare: true },
    ]);
    bench.clock.advance(late);
    assert.deepEqual(bench.expired, [{ job: 'a', epoch: 3 }]);
  });

  test('asks for a job that is to go on elsewhere at every heartbeat, also after a restart, until it was given back', () => {
    const { keeper } = new Bench();
    keeper.load([{ ...w1, attempt: 1, job: 'b', epoch: 1, bare: false, cancelReason: null, isMoved: true }]);
    const effects = claimed({});
    effects.moves.push({ job: 'a', epoch: 1 });
    keeper.follow(effects);
    const [a, b] = [
      { job: 'a', epoch: 1 },
      { job: 'b', epoch: 1 },
    ];
    for (const _ of [1, 2]) assert.deepEqual(keeper.heartbeat(w1, [a, b]).giveBack, [a, b]);
    keeper.follow({ ...noEffects(1), released: [a] });
    assert.deepEqual(keeper.heartbeat(w1, [b]).giveBack, [b]);
    keeper.follow(claimed({}, { epoch: 2 }));
    assert.equal(keeper.heartbeat(w1, [{ job: 'a', epoch: 2 }]).giveBack, undefined);
  });

  test('names a cancellation at every heartbeat, also after a restart, until the lease is over', () => {
    const { keeper } = new Bench();
    keeper.load([{ ...w1, attempt: 1, job: 'b', epoch: 1, bare: false, cancelReason: 'stored', isMoved: false }]);
    const effects = claimed({});
    effects.cancels.push({ job: 'a', epoch: 1, reason: 'enough' }, { job: 'a', epoch: 2, reason: 'of another epoch' });
    keeper.follow(effects);
    const held = [
      { job: 'a', epoch: 1 },
      { job: 'b', epoch: 1 },
    ];
    const cancel = [
      { job: 'a', epoch: 1, reason: 'enough' },
      { job: 'b', epoch: 1, reason: 'stored' },
    ];
    assert.deepEqual(keeper.heartbeat(w1, held).cancel, cancel);
    assert.deepEqual(keeper.heartbeat(w1, held).cancel, cancel);
    keeper.follow({ ...noEffects(2), released: [{ job: 'a', epoch: 1 }] });
    assert.deepEqual(keeper.heartbeat(w1, held), { lost: [held[0]], cancel: [cancel[1]] });
  });

  test('forgets a lease that was given back, and not the next one when an old end comes late', () => {
    const { keeper, clock, expired } = new Bench();
    keeper.follow(claimed({}));
    keeper.follow(claimed({ epoch: 2 }));
    keeper.follow({ ...noEffects(3), released: [{ job: 'a', epoch: 1 }] });
    assert.deepEqual(keeper.heldByWorker(), new Map([['w1', 1]]));
    keeper.follow({ ...noEffects(4), released: [{ job: 'a', epoch: 2 }] });
    clock.advance(10 * leaseMs);
    assert.deepEqual(expired, []);
  });

  test('gives the heartbeats that wait a turn when the process itself was stalled, once', () => {
    const { keeper, clock, expired } = new Bench();
    keeper.follow(claimed({}, { job: 'b' }));
    clock.stall(60_000);
    assert.deepEqual(expired, []);
    keeper.heartbeat(w1, [{ job: 'a', epoch: 1 }]);
    clock.advance(controlLimits.stallGraceMs + late);
    assert.deepEqual(expired, [{ job: 'b', epoch: 1 }]);
  });

  test('tries again what the store refused to expire', async () => {
    const bench = new Bench();
    bench.failing = true;
    bench.keeper.follow(claimed({}));
    bench.clock.advance(leaseMs + late);
    await Promise.resolve();
    bench.failing = false;
    await Promise.resolve();
    bench.clock.advance(controlLimits.expiryRetryMs + late);
    assert.deepEqual(bench.expired, [{ job: 'a', epoch: 1 }]);
  });

  test('gives a bare claim five minutes, from its last report on', () => {
    const { keeper, clock, expired } = new Bench();
    const bare = { bare: true, incarnation: '' };
    keeper.follow(claimed(bare));
    clock.advance(bareLeaseMs - 1);
    keeper.follow(claimed(bare));
    clock.advance(bareLeaseMs - 1);
    assert.deepEqual(expired, []);
    clock.advance(1 + late);
    assert.equal(expired.length, 1);
  });

  test('ends nothing after it was stopped, and leaves no timer', () => {
    const { keeper, clock, expired } = new Bench();
    keeper.follow(claimed({}));
    keeper.stop();
    keeper.follow(claimed({ job: 'b' }));
    assert.equal(clock.pending, 0);
    clock.advance(10 * leaseMs);
    assert.deepEqual(expired, []);
  });
});
