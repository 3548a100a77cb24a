/**
 * Plain handlers in worker processes of their own: how fast they drain a queue that is full, and how soon an idle one begins a
 * job. Each job is a publish, a claim and a completion, all of them synced; nothing else is recorded.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { limits } from '@mvm-ci/protocol';
import { percentile } from '../percentile.ts';
import type { Figure } from '../report.ts';
import { completionRate, progressOf, timePickUps, type TimingParts } from './timing.ts';

const program = fileURLToPath(new URL('handler-worker.ts', import.meta.url));

/** Starts workers as it needs them, one, then four, and ends them. */
export const measureHandlers = async (parts: TimingParts): Promise<readonly Figure[]> => {
  const workers: ChildProcess[] = [];
  try {
    workers.push(await startHandlerWorker(parts.client.url));
    parts.say('the way of a job to an idle handler');
    await drain(parts, { prefix: 'warm-1', jobs: parts.size.handlerDrain / 2 });
    const { client, signal } = parts;
    const waits = await timePickUps(parts, {
      prefix: 'handler-pick-up',
      publish: (id) => client.publish({ job_id: id, handler: 'trivial' }),
      startOf: async (id) => Number((await client.wait(id, { signal })).result),
    });
    parts.say('one worker of handlers drains the queue');
    const one = await drain(parts, { prefix: 'drain', jobs: parts.size.handlerDrain });
    parts.say('four workers of handlers drain the queue');
    workers.push(...(await Promise.all([1, 2, 3].map(() => startHandlerWorker(parts.client.url)))));
    await drain(parts, { prefix: 'warm-4', jobs: parts.size.handlerDrain / 2 });
    const four = await drain(parts, { prefix: 'drain4', jobs: parts.size.handlerDrain });
    return figures({ one, four, waits });
  } finally {
    await Promise.all(workers.map(endHandlerWorker));
  }
};

const figures = (measured: {
  readonly one: number;
  readonly four: number;
  readonly waits: readonly number[];
}): readonly Figure[] => {
  const { one, four, waits } = measured;
  const drained =
    'jobs of a trivial plain handler completed by PROCESSES at default settings, from a full queue to an empty one';
  const begun = 'from the publish request of one job to its start in the handler of an idle worker';
  const bound = 'store_cycle_per_s';
  return [
    { name: 'drain_jobs_per_s', value: one, what: drained.replace('PROCESSES', 'one worker process'), bound },
    { name: 'drain4_jobs_per_s', value: four, what: drained.replace('PROCESSES', 'four worker processes'), bound },
    { name: 'publish_to_start_p50_ms', value: percentile(waits, 0.5), what: `${begun}: half of them within` },
    { name: 'publish_to_start_p99_ms', value: percentile(waits, 0.99), what: `${begun}: 99 of 100 within` },
  ];
};

/** Starts a worker process with the handler `trivial`. */
export const startHandlerWorker = async (url: string): Promise<ChildProcess> => {
  const worker = spawn(process.execPath, [program, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(worker.stdout, 'data');
  return worker;
};

/** Has it drain. Idempotent. */
export const endHandlerWorker = async (worker: ChildProcess): Promise<void> => {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const exit = once(worker, 'exit');
  worker.kill('SIGTERM');
  await exit;
};

/** Fills a paused queue, resumes it, and waits until it is empty. @returns jobs per second from then on */
const drain = async (
  parts: TimingParts,
  { prefix, jobs }: { readonly prefix: string; readonly jobs: number },
): Promise<number> => {
  const { client, tally } = parts;
  await client.setQueue('default', { mode: 'paused' });
  for (let first = 0; first < jobs; first += limits.publishJobsMax) {
    const count = Math.min(limits.publishJobsMax, jobs - first);
    const ids = Array.from({ length: count }, (_, index) => `handler-${prefix}-${first + index}`);
    await client.publishMany(ids.map((id) => ({ job_id: id, handler: 'trivial' })));
    tally.published(ids);
  }
  const start = await progressOf(client);
  await client.setQueue('default', { mode: 'open' });
  return completionRate(parts, { start, goal: start.completed + jobs });
};
