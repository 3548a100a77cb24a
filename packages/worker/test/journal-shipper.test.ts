import { systemClock } from '@mvm-ci/net';
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { chainStart, mvmError } from '@mvm-ci/protocol';
import fc from 'fast-check';
import { ClusterSink } from '../src/journal/cluster-sink.ts';
import { JournalShipper } from '../src/journal/journal-shipper.ts';
import { peerControlPlane } from '../src/peer-control-plane.ts';
import { logEntry, textsOf } from './fixtures/entry.ts';
import { FakeClock, settled } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';

const lost = (): Error => mvmError('CONNECTION_LOST', 'the connection broke');

describe('JournalShipper', () => {
  let cluster: MemoryCluster;
  let clock: FakeClock;
  let shipper: JournalShipper;

  beforeEach(() => {
    ({ cluster, clock, shipper } = setUp());
  });

  it('sends what several jobs have ready in one request', async () => {
    const sinks = ['a', 'b', 'c'].map((job) => hold(cluster, shipper, job));
    await Promise.all(sinks.map((sink) => sink.append([logEntry('x')])));
    assert.deepEqual(paths(cluster), ['/peer/append']);
  });

  it('has at most four requests on their way, and gathers the rest', async () => {
    const gate = Promise.withResolvers<undefined>();
    cluster.fault = () => gate.promise;
    const calls: Promise<unknown>[] = [];
    for (let number = 0; number < 10; number += 1) {
      calls.push(hold(cluster, shipper, `j${number}`).append([logEntry('x')]));
      await settled();
    }
    assert.equal(cluster.requests.length, 4);
    gate.resolve(undefined);
    await Promise.all(calls);
    assert.equal(cluster.requests.length, 5);
  });

  it('sends the same bytes again when the answer got lost, and the journal has them once', async () => {
    let faults = 2;
    cluster.fault = () => {
      faults -= 1;
      return faults >= 0 ? mvmError('CONNECTION_LOST', 'after it was applied') : undefined;
    };
    const sink = hold(cluster, shipper, 'a');
    const durable = sink.append([logEntry('x')]);
    await clock.advance(60_000);
    await durable;
    const [first, ...again] = cluster.requests;
    assert.equal(again.length, 2);
    for (const request of again) assert.deepEqual(request, first);
    assert.deepEqual(textsOf(cluster.entries('a')), ['x']);
  });

  it('settles the others when one parcel of a request is refused', async () => {
    const good = hold(cluster, shipper, 'good');
    const stale = hold(cluster, shipper, 'stale');
    cluster.expire('stale');
    const [first, second] = await Promise.allSettled([good.append([logEntry('x')]), stale.append([logEntry('x')])]);
    assert.equal(first.status, 'fulfilled');
    assert.equal(second.status === 'rejected' && second.reason.code, 'STALE_LEASE');
  });

  it('finds the bad parcel when the request is refused as a whole', async () => {
    const fine = cluster.fetch.bind(cluster);
    cluster.fetch = async (path, init) => {
      const response = await fine(path, init);
      if (Buffer.from(init.body ?? []).includes('bad')) throw mvmError('PAYLOAD_TOO_LARGE', 'too large');
      return response;
    };
    const [good, bad] = [hold(cluster, shipper, 'good'), hold(cluster, shipper, 'bad')];
    const ends = await Promise.allSettled([good.append([logEntry('x')]), bad.append([logEntry('x')])]);
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });

  it('sends nothing more for a job that was lost', async () => {
    cluster.fault = () => {
      throw lost();
    };
    const sink = hold(cluster, shipper, 'a');
    const call = sink.append([logEntry('x')]);
    await settled();
    sink.lose(mvmError('STALE_LEASE', 'lost'));
    const before = cluster.requests.length;
    await clock.advance(60_000);
    assert.equal(cluster.requests.length, before);
    await assert.rejects(call, { code: 'STALE_LEASE' });
  });

  it('leaves no timer behind when it is stopped', async () => {
    cluster.fault = () => {
      throw lost();
    };
    void hold(cluster, shipper, 'a').append([logEntry('x')]);
    await settled();
    shipper.stop();
    await settled();
    assert.equal(clock.pending, 0);
  });

  it('keeps every journal whole and in order, whatever connection breaks when', async () => {
    const plan = fc.array(fc.constantFrom('ok', 'slow', 'before', 'after', 'unavailable'), { maxLength: 60 });
    const script = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 3 })), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(plan, script, async (faults, appends) => {
        const world = setUp();
        world.cluster.fault = () => fault(faults.shift() ?? 'ok', world.clock);
        const sinks = [0, 1, 2, 3].map((job) => hold(world.cluster, world.shipper, `j${job}`));
        const wanted: string[][] = [[], [], [], []];
        for (const [job, count] of appends) {
          const texts = Array.from({ length: count }, (_, index) => `${wanted[job]?.length ?? 0}.${index}`);
          wanted[job]?.push(...texts);
          void sinks[job]?.append(texts.map(logEntry));
          if (count === 2) await settled();
          if (count === 3) await world.clock.advance(60);
        }
        const ends = sinks.map((sink) => sink.finish([logEntry('end')], { type: 'completed', result: '1' }));
        await world.clock.advance(1_000_000);
        await Promise.all(ends);
        for (const [job, texts] of wanted.entries()) {
          assert.deepEqual(textsOf(world.cluster.entries(`j${job}`)), [...texts, 'end']);
          assert.equal(world.cluster.stored(`j${job}`).finishes, 1);
        }
      }),
      { numRuns: 40 },
    );
  });
});

const fault = (
  kind: 'ok' | 'slow' | 'before' | 'after' | 'unavailable',
  clock: FakeClock,
): ReturnType<MemoryCluster['fault']> => {
  switch (kind) {
    case 'ok':
      return undefined;
    case 'slow':
      return new Promise((resolve) => void clock.after(100, () => resolve(undefined)));
    case 'before':
      throw lost();
    case 'after':
      return mvmError('CONNECTION_LOST', 'the answer got lost');
    case 'unavailable':
      throw mvmError('UNAVAILABLE', 'the disk is full');
  }
};

interface World {
  readonly cluster: MemoryCluster;
  readonly clock: FakeClock;
  readonly shipper: JournalShipper;
}

const setUp = (): World => {
  const cluster = new MemoryCluster();
  cluster.isJoined = true;
  const clock = new FakeClock();
  const controlPlane = peerControlPlane(cluster, systemClock);
  const shipper = new JournalShipper({ controlPlane, clock, random: fixedRandom, logger: new KeptLogger() });
  return { cluster, clock, shipper };
};

const hold = (cluster: MemoryCluster, shipper: JournalShipper, job: string): ClusterSink => {
  cluster.publish(job);
  Object.assign(cluster.stored(job), { epoch: 1, holder: 'me' });
  const position = { nextSeq: 0, hash: chainStart(job, 1) };
  return new ClusterSink({ lease: { job, epoch: 1 }, attempt: 1, position, shipper, onRefused: () => undefined });
};

const paths = (cluster: MemoryCluster): readonly string[] => cluster.requests.map(({ path }) => path);
