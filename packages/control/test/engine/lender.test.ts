/** What a lent engine hears of leases, and when. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { claimAnswerSchema, type LendEngine, type LenderCore } from '@mvm-ci/protocol';
import { controlLimits, defaultPeriods } from '../../src/limits.ts';
import { TestPlane } from '../api/test-plane.ts';

const periods = { ...defaultPeriods, startGraceMs: 0 };
const lastMs = periods.leaseMs + controlLimits.expiryGranularityMs;

describe('Lender', () => {
  let plane: TestPlane;
  let said: string[];
  let core: LenderCore | undefined;

  const lend: LendEngine = (given) => {
    core = given;
    return {
      accept: () => () => assert.fail('no link is opened here'),
      leaseOver: ({ job, epoch }) => void said.push(`${job} ${epoch} is over`),
      errandsWait: () => void said.push('questions wait'),
      stop: () => void said.push('stop'),
    };
  };

  beforeEach(async () => {
    said = [];
    plane = await TestPlane.open({ lend, periods });
  });

  afterEach(() => plane[Symbol.asyncDispose]());

  it('tells the engine of a lease’s end before a waiting claim hands the job out again', async () => {
    const { epoch } = await plane.claimOne();
    assert.ok((core?.leaseLeftMs('w1', { job: 'a', epoch }) ?? 0) > 0);
    const body = { worker: 'w2', incarnation: 'i2', capacity: 1, waitMs: 60_000 };
    const claim = async (): Promise<void> => {
      const answer = await plane.call('POST', '/peer/claim', { body });
      const [job] = claimAnswerSchema.parse(answer.body).jobs;
      said.push(`${job?.job} ${job?.epoch} is claimed`);
    };
    const next = claim();
    plane.clock.advance(lastMs);
    assert.equal(core?.leaseLeftMs('w1', { job: 'a', epoch }), undefined);
    await until(() => said.length > 0);
    plane.clock.advance(2 * controlLimits.lostLeaseBackoffMs);
    await next;
    assert.deepEqual(said, ['a 1 is over', 'a 2 is claimed']);
  });

  it('tells the engine of a finish that came from elsewhere', async () => {
    const { job, epoch, attempt } = await plane.claimOne();
    await plane.core.queue.finish('w1', [{ job, epoch, attempt, outcome: { type: 'released' } }]);
    assert.deepEqual(said, ['a 1 is over']);
  });

  it('tells the engine of a question that no worker has taken for a while, and takes its answer', async () => {
    await plane.claimOne();
    const { queue, replays } = plane.core;
    const answer = replays.query('a', { name: 'total' }, new AbortController().signal);
    await until(() => queue.heartbeat({ worker: 'w1', incarnation: 'i1' }, []).queries === true);
    assert.deepEqual(said, []);
    plane.clock.advance(controlLimits.queryLeftMs);
    assert.deepEqual(said, ['questions wait']);
    const errand = core?.errands?.errand({});
    assert.deepEqual([errand?.job, errand?.query?.name], ['a', 'total']);
    const done = { id: errand?.id ?? '', outcome: { answer: '7' } };
    assert.equal(core?.errands?.errand({ done }), null);
    assert.deepEqual(await answer, { value: 7 });
  });

  it('stops the engine’s way to the store with the control plane', async () => {
    await plane.core.stop();
    assert.ok(said.includes('stop'));
  });
});

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
};
