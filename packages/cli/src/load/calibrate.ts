/**
 * How many rounds of the workflow's arithmetic are a millisecond on this machine: measured in a cluster of one worker that runs one job at a
 * time, so that `--cpu-ms 20` is 20 ms of an otherwise idle processor.
 */
import { createClient } from '@mvm-ci/client';
import { mvmError } from '@mvm-ci/protocol';
import { deployLoadWorkflow } from './deploy-load-workflow.ts';
import { LoadCluster } from './load-cluster.ts';
import type { LoadSite } from './load-site.ts';
import { timesOf, warmUp } from './measure-cell.ts';
import { percentilesOf } from './report/percentiles.ts';
import type { LoadRun } from './run-load.ts';

const rounds = 200_000;
const runs = 9;

/** Measures it: the median of a few runs, less that of runs that compute nothing. */
export const calibrate = async ({ env, signal }: LoadRun, site: LoadSite): Promise<number> => {
  await using cluster = await LoadCluster.start({ option: 1, engines: 0, slots: 1, env, signal });
  await cluster.growTo(1);
  const client = createClient({ url: cluster.url });
  const workflow = await deployLoadWorkflow(client, signal);
  const medianMs = async (count: number, name: string): Promise<number> => {
    const work = { rounds: count, sleepMs: 0, requests: 0 };
    const context = { cluster, client, site, workflow, work, engines: 0, signal, ended: () => undefined };
    return percentilesOf((await warmUp(context, runs, name)).map((job) => timesOf(job).run)).p50;
  };
  await medianMs(rounds, 'cold');
  const computingMs = (await medianMs(rounds, 'computing')) - (await medianMs(0, 'idle'));
  if (computingMs <= 0)
    throw mvmError('UNAVAILABLE', `${rounds} rounds took no time: the machine is too busy to measure`);
  return rounds / computingMs;
};
