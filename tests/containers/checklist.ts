/**
 * What must hold in every deployment option: the seed's testing checklist. One cluster for all of it, since a cluster
 * takes long to start; each point leaves it healthy, with the workers that it had.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { attempt, run } from './command.ts';
import { scales, survivesControlPlane, survivesWorkerKill, worksBehindFirewall } from './fault.ts';
import { Stack, type DeploymentOption } from './stack.ts';
import { assertWalked } from './walk.ts';

const workers = 3;
const suiteMsMax = 900_000;
const firewallIsOutOfReach = process.getuid?.() !== 0 && 'only root can close the firewall of a container';
const deadlineMs = 180_000;

/** Registers the checklist for an option. @param further the tests of this option alone */
export const checklist = (option: DeploymentOption, further: (stack: () => Stack) => void = () => {}): void => {
  describe(`containers of option ${option}`, { timeout: suiteMsMax }, () => {
    let started: Stack | undefined;
    const stack = (): Stack => {
      assert.ok(started, 'the cluster did not start');
      return started;
    };

    before(async () => {
      started = await Stack.start(option, workers);
    });
    after(() => started?.[Symbol.asyncDispose]());

    it('show the ticket that the control plane exports, and let workers see nothing else of it', async () => {
      const ticket = await stack().up(workers);
      const plane = await stack().container('control-plane');
      assert.equal((await run('docker', ['exec', plane, 'cat', '/data/endpoint.ticket'])).trim(), ticket);
      for (const worker of await stack().containers('worker')) {
        assert.equal(await run('docker', ['exec', worker, 'ls', '/join']), 'endpoint.ticket\n');
        assert.equal(await run('docker', ['exec', worker, 'ls', '/data']), '');
      }
    });

    it('run as an ordinary user who can write nothing but a data folder', () => runsConfined(stack()));

    it('demand the token of the operator', async () => {
      const asked = async (headers: Readonly<Record<string, string>>): Promise<number> =>
        (await fetch(new URL('/queue/stats', stack().url), { headers })).status;
      assert.deepEqual([await asked({}), await asked({ authorization: `Bearer ${stack().token}` })], [401, 200]);
    });

    it('complete jobs on all workers, each with its own result, told step by step', () => sharesJobs(stack()));

    it('work with the firewall closed but for the peer path', { skip: firewallIsOutOfReach }, () =>
      worksBehindFirewall(stack()),
    );

    it('go on with the jobs of a worker that was killed, which comes back', () => survivesWorkerKill(stack(), workers));

    it('go on after the control plane was killed, and again after its container was replaced', () =>
      survivesControlPlane(stack(), workers));

    it('scale to five workers and back while jobs run, which the leaving workers hand over', () =>
      scales(stack(), workers));

    further(stack);
  });
};

const runsConfined = async (stack: Stack): Promise<void> => {
  const containers = (
    await run('docker', ['ps', '-q', '--filter', `label=com.docker.compose.project=${stack.project}`])
  )
    .split('\n')
    .filter(Boolean);
  assert.ok(containers.length > workers);
  for (const container of containers) {
    assert.equal(await run('docker', ['exec', container, 'id', '-u']), '1000\n');
    const written = await attempt('docker', ['exec', '-u', '0', container, 'touch', '/app/written']);
    assert.match(written.stderr, /Read-only file system/);
    const capabilities = await run('docker', ['exec', container, 'grep', 'CapBnd', '/proc/1/status']);
    assert.match(capabilities, /^CapBnd:\s+0+$/m);
  }
};

const sharesJobs = async (stack: Stack): Promise<void> => {
  const signal = AbortSignal.timeout(deadlineMs);
  const ids = await stack.walks(60, { steps: 5, pauseMs: 20 });
  const seen = new Map<string, Set<string>>();
  const holders = new Set<string>();
  const open = new Set(ids);
  for await (const job of stack.client.events({ after: 0, signal })) {
    if (!ids.includes(job.job_id)) continue;
    seen.set(job.job_id, (seen.get(job.job_id) ?? new Set()).add(job.status));
    if (job.claimed_by !== null) holders.add(job.claimed_by);
    if (job.status === 'completed' || job.status === 'failed') open.delete(job.job_id);
    if (open.size === 0) break;
  }
  const jobs = await stack.ended(ids, signal);
  assertWalked(jobs, 5);
  assert.deepEqual(
    jobs.filter((job) => job.lost_leases > 0 || job.resumes > 0),
    [],
    'workers interfered',
  );
  assert.equal(holders.size, workers, 'not every worker had jobs');
  assert.ok([...seen.values()].every((states) => states.has('completed')));
};
