/** Durable publish, claim and complete of trivial jobs: over HTTP, over iroh, by worker processes, and in the store alone. */
import { createClient } from '@mvm-ci/client';
import { buildCoreModule } from '../guest/modules.ts';
import { startCluster } from '../quiet-cluster.ts';
import type { Figure, Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { addVerdicts, Tally, type Verdict } from '../tally.ts';
import { HttpCaller } from '../http-caller.ts';
import { PeerCaller } from './peer-caller.ts';
import { readCompleted, tallyJournals } from '../read-back.ts';
import { measureHandlers } from './handlers.ts';
import { queueSizes } from './size.ts';
import { measureStoreCycle } from './store-cycle.ts';
import { measureCycles, measureEmptyRequests, measurePublishing, singleLanes } from './wires.ts';
import { measureWorkers } from './workers.ts';

const measure = async (context: BenchContext): Promise<Report> => {
  const { load, folder, signal, say } = context;
  const size = queueSizes[load];
  say('the disk alone');
  const syncsAtStart = measureSyncs(folder, size.syncMs);
  say('the store alone');
  const store = await measureStoreCycle(folder, { count: size.storeJobs, msMax: size.figureMsMax }, signal);
  const cluster = await measureCluster(context);
  const syncs = syncBound(syncsAtStart, measureSyncs(folder, size.syncMs));
  return {
    bench: 'queue',
    metrics: cluster.metrics,
    bounds: [syncs, store.figure, ...cluster.bounds],
    ...addVerdicts(store.verdict, cluster.verdict),
  };
};

interface ClusterFigures {
  readonly metrics: readonly Figure[];
  readonly bounds: readonly Figure[];
  readonly verdict: Verdict;
}

const measureCluster = async ({ load, folder, signal, say }: BenchContext): Promise<ClusterFigures> => {
  await using cluster = await startCluster(folder);
  using http = new HttpCaller(cluster.url, singleLanes);
  const client = createClient({ url: cluster.url });
  await client.deploy(await buildCoreModule());
  const [direct, worked] = [new Tally(), new Tally()];
  const parts = { cluster, http, client, size: queueSizes[load], signal, say };
  const wires = await measureWires({ ...parts, tally: direct });
  const handled = new Tally();
  const handlers = await measureHandlers({ ...parts, tally: handled });
  const workers = await measureWorkers({ ...parts, tally: worked });
  say('reading all jobs back');
  await tallyJournals(client, worked, signal);
  const completed = await readCompleted(client);
  return {
    metrics: [...handlers, ...workers, ...wires.metrics],
    bounds: wires.bounds,
    verdict: [direct, handled, worked].map((tally) => tally.judge(completed)).reduce(addVerdicts),
  };
};

type WiresParts = Omit<Parameters<typeof measureCycles>[0], 'peer'> & { readonly cluster: { readonly ticket: string } };

const measureWires = async (parts: WiresParts): Promise<Omit<ClusterFigures, 'verdict'>> => {
  await using peer = await PeerCaller.join(parts.cluster.ticket);
  const all = { ...parts, peer };
  const bounds = await measureEmptyRequests(all);
  return { bounds, metrics: [...(await measurePublishing(all)), ...(await measureCycles(all))] };
};

await runBench(measure);
