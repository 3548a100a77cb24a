import { systemClock } from '@mvm-ci/net';
import { chainStart } from '@mvm-ci/protocol';
import { describeJournal, type ConformanceHold, type JournalHarness } from '@mvm-ci/testkit';
import { ClusterSink } from '../src/journal/cluster-sink.ts';
import { JournalShipper } from '../src/journal/journal-shipper.ts';
import { peerControlPlane } from '../src/peer-control-plane.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';

const openHarness = (): JournalHarness => {
  const clusters = new Map<number, MemoryCluster>();
  const shippers: JournalShipper[] = [];
  // A job has one attempt at a time: attempts that live side by side belong to clusters of their own.
  const clusterOf = (job: string, attempt: number): MemoryCluster => {
    const cluster = clusters.get(attempt) ?? new MemoryCluster();
    clusters.set(attempt, cluster);
    cluster.attempt = attempt;
    cluster.isJoined = true;
    if (!cluster.jobs.has(job)) cluster.publish(job);
    return cluster;
  };
  const hold = async (job: string, attempt: number): Promise<ConformanceHold> => {
    const cluster = clusterOf(job, attempt);
    const stored = cluster.stored(job);
    Object.assign(stored, { epoch: stored.epoch + 1, holder: 'me' });
    const controlPlane = peerControlPlane(cluster, systemClock);
    const common = { clock: new FakeClock(), random: fixedRandom, logger: new KeptLogger() };
    const shipper = new JournalShipper({ controlPlane, ...common });
    shippers.push(shipper);
    const entries = cluster.entries(job);
    const sink = new ClusterSink({
      lease: { job, epoch: stored.epoch },
      attempt,
      position: { nextSeq: entries.length, hash: stored.batches.at(-1)?.hash ?? chainStart(job, attempt) },
      shipper,
      onRefused: () => undefined,
    });
    return { sink, entries };
  };
  return {
    hold,
    outcome: async (job, attempt) => clusterOf(job, attempt).stored(job).outcome,
    stop: async () => {
      for (const shipper of shippers) shipper.stop();
    },
  };
};

describeJournal('a journal that the control plane keeps', openHarness);
