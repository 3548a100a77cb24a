import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ReadyProcess, startSite } from '@mvm-ci/testkit';
import { Scene } from './scene.ts';

const deadlineMs = 240_000;
const jobs = 12;

/** The metrics of a process, as Prometheus reads them. */
const scrape = async (url: string): Promise<string> => {
  const answer = await fetch(`${url}/metrics`);
  assert.equal(answer.status, 200);
  return answer.text();
};

/** The value of one sample, named with its labels. */
const valueOf = (text: string, sample: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${sample} `))
      ?.slice(sample.length + 1),
  );

/** The status and the text of the readiness route. */
const readiness = async (url: string): Promise<readonly [number, string]> => {
  const answer = await fetch(`${url}/readyz`);
  return [answer.status, await answer.text()];
};

const root = fileURLToPath(new URL('../../', import.meta.url));
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

describe('the metrics of a cluster', () => {
  it('tell the same story at the control plane and at a worker that goes on where another was killed', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using site = await startSite({ slowMs: 50 });
    await using scene = await Scene.start({ workers: 1, slots: 4, workerArgs: ['--http', '127.0.0.1:0'] });
    await scene.deploy('crawler');
    const crawl = { workflow: 'crawler', input: { url: site.url, maxPages: 6, pauseMs: 20 } };
    const ids = await scene.publish(Array.from({ length: jobs }, () => crawl));
    const [victim] = scene.cluster.workers;
    assert.ok(victim);
    await scene.until(
      ids[0] ?? '',
      ({ claimed_by, status }) => claimed_by !== null && status === 'in_progress',
      signal,
    );
    await scene.cluster.removeWorker(victim);
    const worker = await scene.cluster.addWorker();
    await scene.allEnded(ids, signal);

    const [control, here] = [await scrape(scene.cluster.url), await scrape(worker.field('http'))];
    assert.equal(valueOf(control, 'mvm_ci_jobs{state="completed"}'), jobs);
    assert.equal(valueOf(control, 'mvm_ci_jobs_published_total'), jobs);
    assert.equal(valueOf(control, 'mvm_ci_job_ends_total{end="completed"}'), jobs);
    assert.equal(valueOf(control, 'mvm_ci_attempt_seconds_count'), jobs);
    assert.equal(valueOf(control, 'mvm_ci_job_wait_seconds_count'), jobs);
    const lost = valueOf(control, 'mvm_ci_job_ends_total{end="lost"}');
    const claims = valueOf(control, 'mvm_ci_claims_total');
    assert.ok(lost >= 1, `${lost} leases were lost by the kill`);
    assert.equal(claims, jobs + lost + valueOf(control, 'mvm_ci_job_ends_total{end="released"}'));
    assert.ok(valueOf(control, 'mvm_ci_journal_entries_total') > jobs * 6);
    assert.ok(valueOf(control, 'mvm_ci_store_commit_seconds_count') > 0);
    assert.equal(valueOf(control, 'mvm_ci_leases'), 0);

    const resumed = valueOf(here, 'mvm_ci_worker_resumes_total');
    assert.ok(resumed >= 1, 'no job went on from a journal');
    assert.equal(valueOf(here, 'mvm_ci_engine_replays_total'), resumed);
    assert.ok(valueOf(here, 'mvm_ci_engine_replayed_entries_total') >= resumed);
    assert.ok(valueOf(here, 'mvm_ci_effects_total{class="idempotent",outcome="answered"}') > 0);
    assert.ok(valueOf(here, 'mvm_ci_engine_fuel_units_total') > 0);
    assert.equal(valueOf(here, 'mvm_ci_worker_held_jobs'), 0);
    assert.equal(valueOf(here, 'mvm_ci_worker_ready'), 1);
  });

  it('say why a worker takes no jobs: its engine is away, or its control plane is', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await Scene.start({ engine: 'remote' });
    const worker = await scene.cluster.addWorker({ args: ['--http', '127.0.0.1:0'] });
    const url = worker.field('http');
    const until = async (matches: (status: number, reasons: string) => boolean): Promise<void> => {
      for (;;) {
        signal.throwIfAborted();
        const [status, reasons] = await readiness(url);
        if (matches(status, reasons)) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await until((status) => status === 200);
    const [server] = scene.cluster.engines.running;
    assert.ok(server);
    await scene.cluster.engines.stop(server);
    await until((status, reasons) => status === 503 && reasons.includes('no engine'));
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    await scene.cluster.controlPlane.kill();
    await until((status, reasons) => status === 503 && reasons.includes('no connection to the control plane'));
    const unknown = await fetch(`${url}/queue/list`);
    assert.equal(unknown.status, 404);
  });

  it('are those that the documents, the dashboard and the alerts name, named as Prometheus demands', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'mvm-ci-metrics-'));
    await using scene = await Scene.start({ workers: 1, workerArgs: ['--http', '127.0.0.1:0'] });
    await using engine = await ReadyProcess.start({
      args: ['flawless', '--http', '127.0.0.1:0', '--data', folder.path],
    });
    const [worker] = scene.cluster.workers;
    const known = new Set<string>();
    for (const url of [scene.cluster.url, worker?.field('http') ?? '', engine.field('http')]) {
      const text = await scrape(url);
      for (const [name] of text.matchAll(/(?<=^(?:# TYPE )?)mvm_ci_\w+/gm)) known.add(name);
      if (hasPromtool) assertConventions(url, text);
    }
    for (const file of [
      'deploy/monitoring/alerts.yaml',
      'deploy/monitoring/dashboard.json',
      'docs/reference/metrics.md',
    ]) {
      const names = new Set((await readFile(join(root, file), 'utf8')).match(/mvm_ci_\w*[a-z](?!\w)/g));
      assert.ok(names.size > 5, `${file} names hardly any`);
      const unknown = [...names].filter((name) => !known.has(name));
      assert.deepEqual(unknown, [], `${file} names what no process tells`);
    }
  });
});

const assertConventions = (url: string, text: string): void => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text });
  assert.equal(status, 0, `${url}: ${String(stdout)}${String(stderr)}`);
};

describe('the alerts', () => {
  it('fire as their tests say', { skip: !hasPromtool && 'promtool is missing (prometheus)' }, () => {
    const folder = join(root, 'deploy/monitoring');
    assert.ok(readdirSync(folder).includes('alerts.test.yaml'));
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'alerts.test.yaml'], { cwd: folder });
    assert.equal(status, 0, `${String(stdout)}${String(stderr)}`);
  });
});
