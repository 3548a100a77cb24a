/** Many workers on one control plane over iroh: memory, claims, rates, modules, and the recovery of a killed worker's jobs. */
import { createClient } from '@mvm-ci/client';
import { buildCoreModule } from '../guest/modules.ts';
import { HttpCaller } from '../http-caller.ts';
import { startCluster } from '../quiet-cluster.ts';
import { PeerCaller } from '../queue/peer-caller.ts';
import { readCompleted } from '../read-back.ts';
import type { Figure, Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { addVerdicts, Tally, type Verdict } from '../tally.ts';
import { measureClaim, measureRates } from './claims.ts';
import { measureCrowd } from './crowd-figures.ts';
import { measureFrames } from './frames-bound.ts';
import { measureTurns } from './turns.ts';
import { measureModule } from './module-fetch.ts';
import { measureRecovery, type Recovery } from './recovery.ts';
import { peersSizes } from './size.ts';

const httpConnections = 4;
const fastLeases = ['--lease-ms', '750', '--heartbeat-ms', '200'];

const measure = async (context: BenchContext): Promise<Report> => {
  const { load, say } = context;
  say('the transport alone');
  const frames = await measureFrames(peersSizes[load].frames);
  say('turns of the event loop while a large body is sent');
  const turns = await measureTurns(peersSizes[load].moduleBytes);
  const slow = await recovery(context, 'recovery_default_s', 'with the default leases (2 s)', []);
  const fast = await recovery(context, 'recovery_fast_s', 'with fast leases (0.75 s)', fastLeases);
  const shared = await measureShared(context);
  return {
    bench: 'peers',
    metrics: [...shared.metrics, slow.figure, fast.figure, ...turns],
    bounds: [frames],
    ...[slow.verdict, fast.verdict].reduce(addVerdicts, shared.verdict),
  };
};

interface SharedFigures {
  readonly metrics: readonly Figure[];
  readonly verdict: Verdict;
}

/** All that one control plane with default settings shows. */
const measureShared = async ({ load, folder, signal, say }: BenchContext): Promise<SharedFigures> => {
  await using cluster = await startCluster(folder);
  using http = new HttpCaller(cluster.url, httpConnections);
  const client = createClient({ url: cluster.url });
  await client.deploy(await buildCoreModule());
  const size = peersSizes[load];
  const parts = { cluster, client, http, size, tally: new Tally(), signal };
  say(`${size.crowd} workers`);
  const crowd = await measureCrowd(parts);
  const direct = await measureDirect(parts, say);
  say('reading all jobs back');
  const completed = await readCompleted(client);
  return { metrics: [...crowd, ...direct], verdict: parts.tally.judge(completed) };
};

type DirectParts = Omit<Parameters<typeof measureRates>[0], 'peers'> & {
  readonly cluster: { readonly ticket: string };
  readonly client: ReturnType<typeof createClient>;
};

const measureDirect = async (parts: DirectParts, say: BenchContext['say']): Promise<readonly Figure[]> => {
  await using first = await PeerCaller.join(parts.cluster.ticket);
  await using second = await PeerCaller.join(parts.cluster.ticket);
  const all = { ...parts, peers: [first, second] } as const;
  say('one claim at a time');
  const claims = await measureClaim(all);
  say('claiming and completing');
  const rates = await measureRates(all);
  say('a large module');
  return [...claims, ...rates, await measureModule(parts.client, first, parts.size.moduleBytes)];
};

const recovery = (
  { load, folder, signal, say }: BenchContext,
  ...[name, leases, controlPlaneArgs]: readonly [string, string, readonly string[]]
): Promise<Recovery> => {
  say(`kill -9 of a worker, ${leases}`);
  return measureRecovery({ name, leases, controlPlaneArgs, kills: peersSizes[load].kills, folder, signal });
};

await runBench(measure);
