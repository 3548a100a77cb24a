import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { mvmError, type HeartbeatAnswer, type HeartbeatRequest } from '@mvm-ci/protocol';
import { LeaseKeeper, type KeptLease } from '../src/lease-keeper.ts';
import { FakeClock, settled } from './fixtures/fake-clock.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';

const nothing: HeartbeatAnswer = { lost: [], cancel: [] };
const never = new AbortController().signal;

describe('LeaseKeeper', () => {
  let clock: FakeClock;
  let beats: HeartbeatRequest[];
  let answer: (request: HeartbeatRequest) => HeartbeatAnswer | Promise<HeartbeatAnswer>;
  let heard: string[];
  let keeper: LeaseKeeper;

  beforeEach(() => {
    clock = new FakeClock();
    beats = [];
    heard = [];
    answer = () => nothing;
    keeper = new LeaseKeeper({
      onDrain: ({ graceMs }) => void heard.push(`drain ${graceMs}`),
      onQueries: () => void heard.push('queries'),
      controlPlane: {
        heartbeat: async (request) => {
          beats.push(request);
          return answer(request);
        },
      },
      incarnation: 'me',
      timing: { leaseMs: 2_000, heartbeatMs: 500, idleHeartbeatMs: 20_000 },
      clock,
      logger: new KeptLogger(),
    });
  });

  const hold = (job: string, sentMs = clock.monotonicMs()): KeptLease =>
    keeper.hold({ job, epoch: 1 }, sentMs, {
      onLost: () => void heard.push(`lost ${job}`),
      onCancel: (reason) => void heard.push(`cancel ${job}: ${reason}`),
      onGiveBack: () => void heard.push(`give back ${job}`),
    });

  const down = (): never => {
    throw mvmError('CONNECTION_LOST', 'down');
  };

  it('tells of questions that wait for a worker, as often as it hears of them', async () => {
    hold('a');
    answer = () => ({ ...nothing, queries: true });
    await clock.advance(500);
    answer = () => nothing;
    await clock.advance(500);
    assert.deepEqual(heard, ['queries']);
  });

  it('sends the heartbeat of a lease in time, however closely other claims follow', async () => {
    hold('long');
    for (let index = 0; index < 10; index += 1) {
      await clock.advance(100);
      hold(`short ${index}`).release();
    }
    assert.deepEqual(
      beats.map(({ held }) => held.some(({ job }) => job === 'long')),
      [true, true],
    );
  });

  it('names exactly the leases that are held', async () => {
    const first = hold('a');
    hold('b');
    await clock.advance(500);
    first.release();
    await clock.advance(500);
    assert.deepEqual(
      beats.map(({ held }) => held.map(({ job }) => job)),
      [['a', 'b'], ['b']],
    );
  });

  it('counts an answer to something else as a heartbeat while nothing is held, and only then', async () => {
    await clock.advance(19_000);
    keeper.heard();
    await clock.advance(19_000);
    assert.equal(beats.length, 0);
    await clock.advance(1_000);
    assert.equal(beats.length, 1);
    hold('a');
    await clock.advance(499);
    keeper.heard();
    await clock.advance(1);
    assert.equal(beats.length, 2);
  });

  it('beats seldom while nothing is held', async () => {
    await clock.advance(41_000);
    assert.equal(beats.length, 2);
  });

  it('lets effects start until the lease that began when the claim was sent is over', async () => {
    answer = down;
    const lease = hold('a');
    await clock.advance(1_999);
    assert.equal(lease.mayStartEffect(never), true);
    await clock.advance(1);
    assert.notEqual(lease.mayStartEffect(never), true);
  });

  it('counts the time that a long poll took: such a lease is renewed at once', async () => {
    await clock.advance(10_000);
    const lease = hold('a', 1_000);
    const mayStart = lease.mayStartEffect(never);
    assert.notEqual(mayStart, true);
    assert.equal(await mayStart, true);
    assert.equal(beats.length, 1);
  });

  it('counts a renewal from the moment at which its heartbeat was sent', async () => {
    const slow = Promise.withResolvers<HeartbeatAnswer>();
    const lease = hold('a');
    answer = () => slow.promise;
    await clock.advance(1_500);
    slow.resolve(nothing);
    answer = down;
    await clock.advance(999);
    assert.equal(lease.mayStartEffect(never), true);
    await clock.advance(1);
    assert.notEqual(lease.mayStartEffect(never), true);
  });

  it('keeps effects waiting through an outage, and lets them go on when the lease is renewed', async () => {
    answer = down;
    const lease = hold('a');
    await clock.advance(5_000);
    const mayStart = lease.mayStartEffect(never);
    await clock.advance(5_000);
    answer = () => nothing;
    await clock.advance(500);
    assert.equal(await mayStart, true);
    assert.deepEqual(heard, []);
  });

  it('shuts the gate when the lease is lost', async () => {
    answer = down;
    const lease = hold('a');
    await clock.advance(3_000);
    const mayStart = lease.mayStartEffect(never);
    answer = ({ held }) => ({ lost: held, cancel: [] });
    await clock.advance(500);
    assert.equal(await mayStart, false);
    assert.deepEqual(heard, ['lost a']);
    assert.equal(lease.mayStartEffect(never), false);
  });

  it('shuts the gate when whoever waits gives up', async () => {
    answer = down;
    const lease = hold('a');
    await clock.advance(3_000);
    const gaveUp = new AbortController();
    const mayStart = lease.mayStartEffect(gaveUp.signal);
    gaveUp.abort();
    assert.equal(await mayStart, false);
  });

  it('says what the control plane says about one lease to its holder only', async () => {
    hold('a');
    hold('b');
    answer = ({ held }) => ({
      lost: held.filter(({ job }) => job === 'a'),
      cancel: held.filter(({ job }) => job === 'b').map((ref) => ({ ...ref, reason: 'enough' })),
    });
    await clock.advance(500);
    assert.deepEqual(heard, ['lost a', 'cancel b: enough']);
  });

  it('tells nothing to a holder that released its lease while the heartbeat was on its way', async () => {
    const slow = Promise.withResolvers<HeartbeatAnswer>();
    answer = () => slow.promise;
    const lease = hold('a');
    await clock.advance(500);
    lease.release();
    slow.resolve({ lost: [{ job: 'a', epoch: 1 }], cancel: [] });
    await settled();
    assert.deepEqual(heard, []);
  });

  it('has one heartbeat on its way at a time, and goes on after one that failed', async () => {
    const slow = Promise.withResolvers<HeartbeatAnswer>();
    answer = () => slow.promise;
    hold('a');
    await clock.advance(5_000);
    assert.equal(beats.length, 1);
    slow.reject(mvmError('DEADLINE_EXCEEDED', 'slow'));
    answer = () => nothing;
    await clock.advance(1_000);
    assert.equal(beats.length, 3);
  });

  it('leaves no timer and no open gate behind when it is stopped', async () => {
    answer = down;
    const lease = hold('a');
    await clock.advance(3_000);
    const mayStart = lease.mayStartEffect(never);
    keeper.stop();
    assert.equal(await mayStart, false);
    await settled();
    assert.equal(clock.pending, 0);
  });

  it('tells the worker that somebody wants it to drain, also when it holds nothing', async () => {
    answer = () => ({ ...nothing, drain: { graceMs: 70 } });
    await clock.advance(20_500);
    assert.deepEqual(heard, ['drain 70']);
  });
});
