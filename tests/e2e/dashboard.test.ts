import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startSite } from '@mvm-ci/testkit';
import { z } from 'zod';
import { Scene } from './scene.ts';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const skip = spawnSync('prometheus', ['--version']).status !== 0 && 'Prometheus is missing (Debian: prometheus)';
const deadlineMs = 240_000;
const pollMs = 1_000;
const columns = 24;

const sourceSchema = z.object({ type: z.string(), uid: z.string() });

const panelSchema = z.object({
  id: z.number(),
  type: z.literal('timeseries'),
  title: z.string().min(1),
  datasource: sourceSchema,
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number().positive(), h: z.number().positive() }),
  targets: z.array(z.object({ refId: z.string(), expr: z.string(), legendFormat: z.string() })).min(1),
});

const dashboardSchema = z.object({
  uid: z.string().max(40),
  panels: z.array(panelSchema).min(10),
  templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string(), query: z.string() })) }),
});

type Panel = z.infer<typeof panelSchema>;

const readDashboard = async (): Promise<z.infer<typeof dashboardSchema>> =>
  dashboardSchema.parse(JSON.parse(await readFile(join(deploy, 'monitoring/dashboard.json'), 'utf8')));

const repeated = (values: readonly unknown[]): readonly unknown[] =>
  values.filter((value, index) => values.indexOf(value) !== index);

/** The cells of the grid that a panel covers. */
const cellsOf = ({ gridPos: { x, y, w, h } }: Panel): readonly string[] =>
  Array.from({ length: w * h }, (_, index) => `${x + (index % w)}|${y + Math.floor(index / w)}`);

describe('the dashboard', () => {
  it('has panels beside each other that ask the source of data that its variable names', async () => {
    const { panels, templating } = await readDashboard();
    assert.deepEqual(repeated(panels.map(({ id }) => id)), []);
    assert.deepEqual(repeated(panels.map(({ title }) => title)), []);
    assert.deepEqual(repeated(panels.flatMap(cellsOf)), [], 'two panels overlap');
    const provisioned = await readFile(join(deploy, 'docker/monitoring/datasources/prometheus.yaml'), 'utf8');
    const [, type = ''] = /^ +type: (\w+)$/m.exec(provisioned) ?? [];
    for (const panel of panels) {
      assert.ok(panel.gridPos.x + panel.gridPos.w <= columns, `${panel.title} is out of the grid`);
      assert.deepEqual(repeated(panel.targets.map(({ refId }) => refId)), []);
      assert.equal(panel.datasource.type, type);
      const [, name] = /^\$\{(\w+)\}$/.exec(panel.datasource.uid) ?? [];
      const variable = templating.list.find((one) => one.name === name);
      assert.deepEqual([variable?.type, variable?.query], ['datasource', type], `${panel.title} asks nobody`);
    }
  });

  it('is where the Grafana of the compose file looks for it', async () => {
    const provider = await readFile(join(deploy, 'docker/monitoring/dashboards/files.yaml'), 'utf8');
    const compose = await readFile(join(deploy, 'docker/compose.monitoring.yaml'), 'utf8');
    const [, folder = ''] = /path: ([\w/]+)/.exec(provider) ?? [];
    const mounted = [...compose.matchAll(/- (\.\S+?):(\/\S+?):ro$/gm)].map(([, here = '', there = '']) => ({
      here,
      there,
    }));
    const dashboard = mounted.find(({ there }) => there.startsWith(`${folder}/`));
    assert.equal(dashboard?.here, '../monitoring/dashboard.json');
    for (const kind of ['datasources', 'dashboards'])
      assert.ok(
        mounted.some(({ here, there }) => here === `./monitoring/${kind}` && there.endsWith(`/provisioning/${kind}`)),
      );
  });

  it(
    'has curves in each panel for a cluster that works, by the configuration of Prometheus beside it',
    { skip },
    async () => {
      const signal = AbortSignal.timeout(deadlineMs);
      await using site = await startSite();
      await using scene = await Scene.start({ workers: 1, engine: 'remote', workerArgs: ['--http', '127.0.0.1:0'] });
      await scene.deploy('crawler');
      const [worker] = scene.cluster.workers;
      const [engine] = scene.cluster.engines.running;
      assert.ok(worker && engine);
      await using prometheus = await startPrometheus({
        '127.0.0.1:3020': scene.cluster.url,
        '127.0.0.1:27288': engine.field('http'),
        '127.0.0.1:3030': worker.field('http'),
      });
      const crawl = { workflow: 'crawler', input: { url: site.url, maxPages: 2 } };
      // No worker has such a tag: its queue stays ready, and waits.
      await scene.publish([{ ...crawl, requires: ['another-machine'] }]);
      let empty: readonly string[] = [];
      const { panels } = await readDashboard();
      while (true) {
        if (signal.aborted) assert.deepEqual(empty, [], 'nothing to draw');
        // Rates need what changes between two looks.
        await scene.publish([crawl]);
        await scene.client.status('nobody').catch(() => undefined);
        await delay(pollMs);
        empty = (await Promise.all(panels.map((panel) => emptyQueries(prometheus.url, panel)))).flat();
        if (empty.length === 0) return;
      }
    },
  );
});

const answerSchema = z.object({
  status: z.string(),
  error: z.string().optional(),
  data: z
    .object({
      result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
    })
    .optional(),
});

/** The queries of a panel that have no point to draw now. A query that can't be parsed, or a legend that names no label, fails at once. */
const emptyQueries = async (url: string, { title, targets }: Panel): Promise<readonly string[]> => {
  const empty: string[] = [];
  for (const { expr, legendFormat } of targets) {
    const response = await fetch(`${url}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query: expr }) });
    const answer = answerSchema.parse(await response.json());
    assert.equal(answer.status, 'success', `${title}: ${expr}: ${answer.error}`);
    const series = answer.data?.result ?? [];
    if (!series.some(({ value: [, text] }) => Number.isFinite(Number(text)))) empty.push(`${title}: ${expr}`);
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
      for (const { metric } of series)
        assert.ok(label in metric, `${title}: the legend names ${label}: ${JSON.stringify(metric)}`);
  }
  return empty;
};

interface Prometheus extends AsyncDisposable {
  readonly url: string;
}

/** Prometheus with our configuration, but for the addresses and the period. */
const startPrometheus = async (addresses: Readonly<Record<string, string>>): Promise<Prometheus> => {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await mkdtempDisposable(join(tmpdir(), 'mvm-ci-prometheus-')));
  let config = await readFile(join(deploy, 'monitoring/prometheus.yaml'), 'utf8');
  for (const [usual, url] of Object.entries({ ...addresses, 'scrape_interval: 10s': 'scrape_interval: 1s' })) {
    assert.ok(config.includes(usual), `the configuration names ${usual}`);
    config = config.replace(usual, url.replace('http://', ''));
  }
  await writeFile(join(folder.path, 'prometheus.yaml'), config);
  await copyFile(join(deploy, 'monitoring/alerts.yaml'), join(folder.path, 'alerts.yaml'));
  const address = `127.0.0.1:${await freePort()}`;
  const args = ['--config.file=prometheus.yaml', '--storage.tsdb.path=data', `--web.listen-address=${address}`];
  const child = spawn('prometheus', args, { cwd: folder.path, stdio: ['ignore', 'ignore', 'pipe'] });
  const gone = once(child, 'exit');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  const ready = Promise.withResolvers<void>();
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += String(chunk);
    if (log.includes('ready to receive web requests')) ready.resolve();
  });
  void gone.then(() => ready.reject(new Error(`Prometheus ended: ${log}`)));
  try {
    await ready.promise;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
  return { url: `http://${address}`, [Symbol.asyncDispose]: () => stack.disposeAsync() };
};

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.close();
  await once(server, 'close');
  return address.port;
};
