/**
 * How soon a killed worker's job goes on: from `kill -9` to the moment at which another worker, having found the job's
 * journal, sends the request again that the dead one had in flight.
 */
import { join } from 'node:path';
import { createClient } from '@mvm-ci/client';
import { Cluster } from '@mvm-ci/testkit';
import { buildScriptModule } from '../guest/modules.ts';
import { workflows } from '../guest/workflows.ts';
import { percentile } from '../percentile.ts';
import type { Figure } from '../report.ts';
import { readCompleted, tallyJournals } from '../read-back.ts';
import { Tally, type Verdict } from '../tally.ts';
import { HeldServer } from './held-server.ts';

const quiet = ['--log-level', 'error', '--bind', '127.0.0.1:0'];

/** What is measured, and with what. */
export interface RecoveryOptions {
  readonly name: string;
  /** For people: which leases the control plane has. */
  readonly leases: string;
  readonly controlPlaneArgs: readonly string[];
  readonly kills: number;
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** A figure, and whether anything was lost or done twice. */
export interface Recovery {
  readonly figure: Figure;
  readonly verdict: Verdict;
}

/** Kills workers one after another; one idle worker that has run the module before is always there. */
export const measureRecovery = async (options: RecoveryOptions): Promise<Recovery> => {
  const { name, leases, kills, folder, controlPlaneArgs, signal } = options;
  await using server = await HeldServer.start();
  await using cluster = await Cluster.start({
    data: join(folder, name),
    controlPlaneArgs: [...quiet, ...controlPlaneArgs],
    workerArgs: quiet,
    workers: 2,
  });
  const client = createClient({ url: cluster.url });
  const module = await client.deploy(await buildScriptModule());
  const workflow = `${module.name}/${workflows.threeEffects}`;
  const tally = new Tally();
  const begin = async (id: string): Promise<void> => {
    await client.publish({ job_id: id, workflow, input: `${server.url}/${id}` }, { signal });
    tally.published([id]);
    await server.arrivals(id, 1, signal);
  };
  const end = async (id: string): Promise<void> => {
    server.letGo(id);
    await client.wait(id, { signal });
  };
  const waitsS: number[] = [];
  for (let number = 0; number < kills; number += 1) {
    const id = `${name}-${number}`;
    // The worker that waited longest gets a job: of two that are held, each has one.
    const warmUps = [`${id}-warm-1`, `${id}-warm-2`];
    for (const warmUp of warmUps) await begin(warmUp);
    await Promise.all(warmUps.map(end));
    await begin(id);
    waitsS.push(await killHolder({ cluster, client, server, id, signal }));
    await end(id);
    await cluster.addWorker();
  }
  await tallyJournals(client, tally, signal);
  const what = `from kill -9 of a worker to its job's request sent again by another, ${leases}: the slowest of ${kills}`;
  return {
    figure: { name, value: percentile(waitsS, 1), what },
    verdict: tally.judge(await readCompleted(client)),
  };
};

interface KillParts {
  readonly cluster: Cluster;
  readonly client: ReturnType<typeof createClient>;
  readonly server: HeldServer;
  readonly id: string;
  readonly signal: AbortSignal;
}

/** @returns seconds */
const killHolder = async ({ cluster, client, server, id, signal }: KillParts): Promise<number> => {
  const { claimed_by: holder } = await client.status(id, { signal });
  const worker = cluster.worker(holder);
  if (!worker) throw new Error(`no worker of this cluster holds job ${id}`);
  const killedMs = performance.now();
  await cluster.removeWorker(worker);
  const arrivedMs = await server.arrivals(id, 2, signal);
  return (arrivedMs - killedMs) / 1_000;
};
