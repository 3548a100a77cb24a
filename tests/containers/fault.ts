/** The points of the checklist that break something, or take it away, while jobs run. */
import assert from 'node:assert/strict';
import { attempt, run } from './command.ts';
import { closeFirewall, openFirewall } from './firewall.ts';
import { reaches } from './reach.ts';
import type { Stack } from './stack.ts';
import { assertWalked } from './walk.ts';

const deadlineMs = 180_000;
const enginePort = 27_288;
/** Jobs long enough for a fault in their middle. */
const long = { steps: 40, pauseMs: 150 };
/** Jobs that outlast a lease: an engine elsewhere works on for a dead worker until then. */
const outlasting = { steps: 120, pauseMs: 150 };
/** Jobs that outlast a look at the images and the end of some containers. */
const longer = { steps: 150, pauseMs: 200 };

/** Ends every process of a container at once, as when memory runs out. */
const killAll = (container: string): Promise<unknown> =>
  attempt('docker', ['exec', container, 'sh', '-c', 'kill -9 -1']);

export const worksBehindFirewall = async (stack: Stack): Promise<void> => {
  const containers = await stack.containers('worker');
  const tcp = stack.option === 3 || stack.option === 4 ? [enginePort] : [];
  const api = 'http://control-plane:3020/healthz';
  const [first = ''] = containers;
  assert.equal(await reaches(first, api), stack.option !== 2);
  try {
    for (const container of containers) await closeFirewall(container, tcp);
    assert.equal(await reaches(first, api), false, 'the firewall is open');
    const ids = await stack.walks(30, { steps: 5, pauseMs: 20 });
    assertWalked(await stack.ended(ids, AbortSignal.timeout(deadlineMs)), 5);
  } finally {
    for (const container of containers) await openFirewall(container);
  }
};

export const survivesWorkerKill = async (stack: Stack, workers: number): Promise<void> => {
  const signal = AbortSignal.timeout(deadlineMs);
  const ids = await stack.walks(20, outlasting);
  const held = await stack.underWay(ids, signal);
  const victim = await stack.workerOf(String(held.claimed_by));
  await killAll(victim);
  const jobs = await stack.ended(ids, signal);
  assertWalked(jobs, outlasting.steps);
  const moved = jobs.find((job) => job.job_id === held.job_id);
  assert.ok(
    moved && moved.lost_leases >= 1 && moved.resumes >= 1,
    'the job was not held by the worker that was killed',
  );
  await stack.up(workers);
  assert.equal((await run('docker', ['inspect', '--format', '{{.RestartCount}}', victim])).trim(), '1');
};

export const survivesControlPlane = async (stack: Stack, workers: number): Promise<void> => {
  const signal = AbortSignal.timeout(deadlineMs);
  const ticket = await stack.up(workers);
  const ids = await stack.walks(20, long);
  await stack.underWay(ids, signal);
  await killAll(await stack.container('control-plane'));
  assert.equal(await stack.up(workers), ticket, 'it came back as another one');
  assertWalked(await stack.ended(ids, signal), long.steps);

  const later = await stack.walks(20, long);
  await stack.underWay(later, signal);
  const before = await stack.container('control-plane');
  await stack.compose('up', '-d', '--no-deps', '--force-recreate', 'control-plane');
  await stack.up(workers);
  assert.notEqual(await stack.container('control-plane'), before);
  assertWalked(await stack.ended(later, signal), long.steps);
};

export const scales = async (stack: Stack, workers: number): Promise<void> => {
  const signal = AbortSignal.timeout(deadlineMs);
  await stack.up(5);
  const ids = await stack.walks(40, longer);
  await stack.underWay(ids, signal);
  const sinceMs = Date.now();
  await stack.up(workers);
  assert.equal((await stack.containers('worker')).length, workers);
  const jobs = await stack.ended(ids, signal);
  assertWalked(jobs, longer.steps);
  const lost = jobs.filter((job) => job.lost_leases > 0);
  assert.deepEqual(lost, [], 'leaving workers did not give their jobs back');
  assert.ok(
    jobs.some((job) => job.resumes > 0),
    'no job was handed over: too little happened',
  );
  assert.deepEqual(await exitCodes(stack, sinceMs), ['0', '0']);
};

/** How the workers ended that ended since then. */
const exitCodes = async ({ project }: Stack, sinceMs: number): Promise<readonly string[]> => {
  const seconds = (ms: number): string => (ms / 1_000).toFixed(3);
  const labels = [`project=${project}`, 'service=worker'].map((label) => `label=com.docker.compose.${label}`);
  const filters = ['event=die', ...labels].flatMap((filter) => ['--filter', filter]);
  const span = ['--since', seconds(sinceMs), '--until', seconds(Date.now())];
  const format = ['--format', '{{.Actor.Attributes.exitCode}}'];
  return (await run('docker', ['events', ...span, ...filters, ...format])).split('\n').filter(Boolean);
};
