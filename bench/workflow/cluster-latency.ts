/** Three effects in a real cluster at rest: published over HTTP, run by a worker process that joined over iroh. */
import { setTimeout as pause } from 'node:timers/promises';
import { parseAs, routePath } from '@mvm-ci/protocol';
import { z } from 'zod';
import { buildScriptModule, workflows } from '../guest/modules.ts';
import { HttpCaller } from '../http-caller.ts';
import { timed } from '../lanes.ts';
import { startCluster } from '../quiet-cluster.ts';
import { readCompleted, tallyJournals } from '../read-back.ts';
import { addVerdicts, Tally, type Verdict } from '../tally.ts';
import { EffectServer } from './effect-server.ts';

const restMs = 20;
const waitMs = 30_000;
const warmUps = 20;
const viewSchema = z.object({ status: z.literal('completed') });

/** What was found. */
export interface ClusterLatency {
  /** From publish to completed seen, ms, for each job. */
  readonly waitsMs: readonly number[];
  readonly verdict: Verdict;
}

/** Publishes `jobs` jobs, each when the one before has ended. */
export const measureClusterLatency = async (
  folder: string,
  jobs: number,
  signal: AbortSignal,
): Promise<ClusterLatency> => {
  await using cluster = await startCluster(folder);
  await using server = await EffectServer.start();
  await cluster.addWorker();
  using http = new HttpCaller(cluster.url, 1);
  const parts = { http, url: server.url, tally: new Tally(), workflow: await deploy(http) };
  for (let number = 0; number < warmUps; number += 1) await runOne(parts, `warm-${number}`);
  const waitsMs: number[] = [];
  for (let number = 0; number < jobs; number += 1) {
    await pause(restMs, undefined, { signal });
    waitsMs.push((await timed(() => runOne(parts, `job-${number}`))) * 1_000);
  }
  await tallyJournals(http, parts.tally, signal);
  const verdict = parts.tally.judge(await readCompleted(http));
  return { waitsMs, verdict: addVerdicts(verdict, { lost: 0, duplicated: server.duplicated }) };
};

/** @returns the reference of the workflow */
const deploy = async (http: HttpCaller): Promise<string> => {
  const { name, version, file } = await buildScriptModule();
  await http.upload(routePath('modules', {}, { name, version }), file);
  return `${name}/${workflows.threeEffects}`;
};

interface RunParts {
  readonly http: HttpCaller;
  /** Where the effects go. */
  readonly url: string;
  readonly tally: Tally;
  readonly workflow: string;
}

const runOne = async ({ http, url, tally, workflow }: RunParts, id: string): Promise<void> => {
  await http.post(routePath('publish'), { job_id: id, workflow, input: url });
  tally.published([id]);
  const view = await http.get(routePath('status', { job: id }, { wait_ms: waitMs }));
  parseAs(viewSchema, view, `job ${id} at its end`);
};
