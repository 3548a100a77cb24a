/** Three effects in a real cluster at rest: published over HTTP, run by a worker process that joined over iroh. */
import { setTimeout as pause } from 'node:timers/promises';
import { createClient, type Client } from '@mvm-ci/client';
import { buildScriptModule } from '../guest/modules.ts';
import { workflows } from '../guest/workflows.ts';
import { Dispenser, timed, type Amount } from '../lanes.ts';
import { startCluster } from '../quiet-cluster.ts';
import { readCompleted, tallyJournals } from '../read-back.ts';
import { addVerdicts, Tally, type Verdict } from '../tally.ts';
import { EffectServer } from '../effect-server.ts';

const restMs = 20;
const warmUps = 20;

/** What was found. */
export interface ClusterLatency {
  /** From publish to completed seen, ms, for each job. */
  readonly waitsMs: readonly number[];
  readonly verdict: Verdict;
}

/** Publishes jobs, each when the one before has ended. */
export const measureClusterLatency = async (
  folder: string,
  jobs: Amount,
  signal: AbortSignal,
): Promise<ClusterLatency> => {
  await using cluster = await startCluster(folder);
  await using server = await EffectServer.start();
  await cluster.addWorker();
  const client = createClient({ url: cluster.url });
  const module = await client.deploy(await buildScriptModule());
  const workflow = `${module.name}/${workflows.threeEffects}`;
  const parts = { client, workflow, url: server.url, tally: new Tally(), signal };
  for (let number = 0; number < warmUps; number += 1) await runOne(parts, `warm-${number}`);
  const waitsMs: number[] = [];
  const dispenser = new Dispenser(jobs);
  for (let [number] = dispenser.take(1); number !== undefined; [number] = dispenser.take(1)) {
    await pause(restMs, undefined, { signal });
    waitsMs.push((await timed(() => runOne(parts, `job-${number}`))) * 1_000);
  }
  await tallyJournals(client, parts.tally, signal);
  const verdict = parts.tally.judge(await readCompleted(client));
  return { waitsMs, verdict: addVerdicts(verdict, { lost: 0, duplicated: server.settleAll().repeated }) };
};

interface RunParts {
  readonly client: Client;
  readonly workflow: string;
  /** Where the effects go. */
  readonly url: string;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

const runOne = async ({ client, workflow, url, tally, signal }: RunParts, id: string): Promise<void> => {
  await client.publish({ job_id: id, workflow, input: url }, { signal });
  tally.published([id]);
  const { status, error } = await client.wait(id, { signal });
  if (status !== 'completed') throw new Error(`job ${id} is ${status}: ${JSON.stringify(error)}`);
};
