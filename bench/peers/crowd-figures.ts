/** What many connected workers cost the control plane: memory, processor time at rest, and how fast they drain a queue. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@mvm-ci/client';
import type { Cluster } from '@mvm-ci/testkit';
import type { HttpCaller } from '../http-caller.ts';
import { percentile } from '../percentile.ts';
import { publishOverHttp } from '../queue/queue-caller.ts';
import type { Figure } from '../report.ts';
import type { Tally } from '../tally.ts';
import { publishBulk } from './claims.ts';
import { Crowd } from './crowd.ts';
import { processorSeconds, residentMib } from './process-usage.ts';
import type { PeersSize } from './size.ts';

const pollMs = 25;
const silentMsMax = 30_000;
const pickUps = 50;

/** What is measured, and with what. */
export interface CrowdParts {
  readonly cluster: Cluster;
  readonly client: Client;
  readonly http: HttpCaller;
  readonly size: PeersSize;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/** Lets a crowd join, stand idle, and drain a full queue. */
export const measureCrowd = async (parts: CrowdParts): Promise<readonly Figure[]> => {
  const { cluster, client, size, signal } = parts;
  const { pid } = cluster.controlPlane;
  const aloneMib = residentMib(pid);
  const joinedAt = performance.now();
  await using crowd = await Crowd.join({
    ticket: cluster.ticket,
    workers: size.crowd,
    processes: size.crowdProcesses,
    signal,
  });
  const joinS = (performance.now() - joinedAt) / 1_000;
  const { workers } = await client.stats();
  const [rss, idle] = [residentMib(pid), await idleShare(pid, size.idleMs, signal)];
  const waits = await timePickUps(parts);
  const rate = await drain(parts);
  void crowd;
  const each = `with ${size.crowd} workers connected`;
  return [
    { name: 'workers', value: workers, what: 'workers that the control plane counts as here at the same time' },
    {
      name: 'join_per_s',
      value: size.crowd / joinS,
      what: 'workers that join per second, their processes’ start included',
    },
    {
      name: 'control_rss_mib',
      value: rss,
      what: `resident memory of the control plane ${each}`,
    },
    {
      name: 'control_kib_per_worker',
      value: ((rss - aloneMib) * 1_024) / size.crowd,
      what: 'how much that memory grew for each of them',
    },
    { name: 'control_idle_cpu_percent', value: idle, what: `processor time of the control plane at rest ${each}` },
    {
      name: 'crowd_claimed_p50_ms',
      value: percentile(waits, 0.5),
      what: `one job from publish to completed ${each}: half within`,
    },
    {
      name: 'crowd_claimed_p99_ms',
      value: percentile(waits, 0.99),
      what: `one job from publish to completed ${each}: 99 of 100 within`,
    },
    {
      name: 'crowd_jobs_per_s',
      value: rate,
      what: `trivial jobs completed ${each}, from a full queue to an empty one`,
    },
  ];
};

/** Percent of one core. */
const idleShare = async (pid: number, ms: number, signal: AbortSignal): Promise<number> => {
  const [startS, startMs] = [processorSeconds(pid), performance.now()];
  await pause(ms, undefined, { signal });
  return ((processorSeconds(pid) - startS) * 100_000) / (performance.now() - startMs);
};

const timePickUps = async ({ http, client, tally, signal }: CrowdParts): Promise<readonly number[]> => {
  const waitsMs: number[] = [];
  for (let number = 0; number < pickUps; number += 1) {
    const id = `crowd-one-${number}`;
    const startMs = performance.now();
    await publishOverHttp(http, [id]);
    tally.published([id]);
    await client.wait(id, { signal });
    waitsMs.push(performance.now() - startMs);
    tally.completed(id);
  }
  return waitsMs;
};

const drain = async (parts: CrowdParts): Promise<number> => {
  const { client, size, signal } = parts;
  const goal = (await client.stats()).completed + size.crowdJobs;
  const startMs = performance.now();
  await publishBulk(parts, 'crowd', size.crowdJobs);
  let last = { completed: 0, atMs: startMs };
  while (last.completed < goal && performance.now() - last.atMs < silentMsMax) {
    await pause(pollMs, undefined, { signal });
    const { completed } = await client.stats();
    if (completed > last.completed) last = { completed, atMs: performance.now() };
  }
  return (size.crowdJobs * 1_000) / (last.atMs - startMs);
};
