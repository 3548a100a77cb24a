/** The Helm chart, rendered in every variant: what Kubernetes would be told, and what must hold for all of it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findChartTools, type ChartTools } from './chart-tools.ts';
import { variants, type Values } from './chart-value.ts';
import {
  chartFolder,
  containersOf,
  engines,
  objectOf,
  podOf,
  render,
  type Container,
  type KubeObject,
  type Labels,
  type PodSpec,
  type Spec,
} from './chart.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const found = await findChartTools();
const skip = typeof found === 'string' && found;
const tools = found as ChartTools;
const rendered = new Map<string, readonly KubeObject[]>();

const everyObject = (): readonly (readonly [string, KubeObject])[] =>
  [...rendered].flatMap(([variant, objects]) => objects.map((object) => [variant, object] as const));

/** Every pod with a name for messages. */
const everyPod = (): readonly (readonly [string, PodSpec, KubeObject])[] =>
  everyObject().flatMap(([variant, object]) => {
    const pod = podOf(object);
    return pod ? [[`${variant}: ${object.metadata.name}`, pod, object] as const] : [];
  });

const everyContainer = (): readonly (readonly [string, Container, PodSpec])[] =>
  everyPod().flatMap(([where, pod]) =>
    containersOf(pod).map((container) => [`${where}/${container.name}`, container, pod] as const),
  );

const variable = (container: Container, name: string): string | undefined =>
  container.env?.find((entry) => entry.name === name)?.value;

const refusal = async (values: Values): Promise<string> =>
  render(tools, values).then(
    () => assert.fail(`${JSON.stringify(values)} is taken`),
    (error: Error & { readonly stderr: string }) => error.stderr,
  );

describe('the Helm chart', { skip, timeout: 540_000 }, () => {
  before(async () => {
    for (const { name, values } of variants) rendered.set(name, await render(tools, values));
  });

  it('passes the strict lint of Helm', async () => {
    assert.match(await tools.helm('lint', '--strict', chartFolder), /0 chart\(s\) failed/);
  });

  it('makes of each object and field what Kubernetes knows', () => knownToKubernetes());

  it('has one control plane, with a disk, that is gone before the next one starts', () => {
    for (const objects of rendered.values()) {
      const { kind, spec } = objectOf(objects, 'StatefulSet', 'control-plane');
      assert.deepEqual([kind, spec?.replicas, spec?.volumeClaimTemplates?.length], ['StatefulSet', 1, 1]);
    }
  });

  it('tells each process where jobs run', () => {
    const told = engines.map((engine) => {
      const objects = rendered.get(`${engine}, defaults`) ?? [];
      const [plane] = podOf(objectOf(objects, 'StatefulSet', 'control-plane'))?.containers ?? [];
      const [worker] = podOf(objectOf(objects, 'Deployment', 'worker'))?.containers ?? [];
      assert.ok(plane && worker);
      const flags = plane.args?.filter((argument) => /^--(flawless|engine)=/.test(argument));
      return [engine, flags, variable(worker, 'FLAWLESS_URL')];
    });
    assert.deepEqual(told, [
      ['embedded', ['--flawless=off', '--engine=off'], undefined],
      ['peer', ['--flawless=off', '--engine=on'], 'iroh+h3://control-plane'],
      ['pool', ['--flawless=off', '--engine=off'], 'dns+http://ci-mvm-ci-engine:27288'],
      ['remote', ['--flawless=0.0.0.0:27288', '--engine=off'], 'http://ci-mvm-ci:27288'],
    ]);
  });

  it('confines every container, and bounds what it takes', () => {
    for (const [where, container, pod] of everyContainer()) {
      assert.deepEqual(
        container.securityContext,
        { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        where,
      );
      const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext ?? {};
      assert.deepEqual([runAsNonRoot, runAsUser, seccompProfile], [true, 1000, { type: 'RuntimeDefault' }], where);
      assert.equal(pod.automountServiceAccountToken, false, where);
      assert.equal(pod.enableServiceLinks, false, where);
      const { requests, limits } = container.resources ?? {};
      assert.ok(requests?.['cpu'] && requests['memory'] && limits?.['memory'], where);
    }
  });

  it('probes every long-running process at routes that the images check too', () => {
    for (const [where, pod, { kind }] of everyPod().filter(([, , object]) => object.kind !== 'Pod')) {
      for (const container of pod.containers) {
        const port = container.readinessProbe?.httpGet.port ?? '';
        assert.ok(
          container.ports?.some(({ name }) => name === port),
          `${where} (${kind})`,
        );
        const paths = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(
          (probe) => probe?.httpGet.path,
        );
        assert.deepEqual(paths, ['/healthz', '/healthz', '/readyz'], where);
      }
    }
  });

  it('gives every pod longer to end than its processes take', () => {
    for (const [where, pod, { kind }] of everyPod()) {
      if (kind === 'Pod') continue;
      const [container] = pod.containers;
      const grace = Number((container && variable(container, 'MVM_CI_GRACE')) ?? 10);
      assert.ok((pod.terminationGracePeriodSeconds ?? 30) >= grace + 8, where);
    }
  });

  it('sets only variables that the configuration reference lists', async () => {
    const reference = await readFile(join(root, 'docs/reference/config.md'), 'utf8');
    // Of the shell script in the init container.
    const ours = ['TICKET_EXPIRES', 'POD_NAME'];
    const names = new Set(everyContainer().flatMap(([, { env = [] }]) => env.map(({ name }) => name)));
    const strange = [...names].filter((name) => !ours.includes(name) && !reference.includes(`\`${name}\``));
    assert.deepEqual(strange, []);
    assert.ok(names.size > 15);
  });

  it('writes numbers as our settings take them', () => {
    for (const [where, container] of everyContainer()) {
      for (const { name, value = '' } of container.env ?? []) assert.doesNotMatch(value, /^\d[\d.]*e/, where + name);
    }
  });

  it('mounts every file and folder that it names, and no volume that is not there', () => {
    for (const [where, container, pod] of everyContainer()) {
      const volumes = (pod.volumes ?? []).map(({ name }) => name);
      const mounts = container.volumeMounts ?? [];
      const claimed = where.includes('control-plane') ? ['data'] : [];
      assert.deepEqual(
        mounts.map(({ name }) => name).filter((name) => ![...volumes, ...claimed].includes(name)),
        [],
      );
      const paths = (container.env ?? []).flatMap(({ value = '' }) => (value.startsWith('/') ? [value] : []));
      const open = paths.filter((path) => !mounts.some(({ mountPath }) => `${path}/`.startsWith(`${mountPath}/`)));
      assert.deepEqual(open, [], where);
    }
  });

  it('shows tokens to nobody but by files, and the operator’s to no worker', () => {
    for (const [where, container] of everyContainer()) {
      const words = [...(container.args ?? []), ...(container.command ?? [])].join(' ');
      assert.doesNotMatch(words, /--(flawless-)?token/, where);
      const named = (container.env ?? []).filter(({ name }) => name.endsWith('TOKEN'));
      assert.deepEqual(named, [], where);
      const mounts = (container.volumeMounts ?? []).map(({ name }) => name);
      assert.ok(!(container.name === 'worker' && mounts.includes('operator-token')), where);
    }
    for (const [variant, object] of everyObject().filter(([, { kind }]) => kind === 'Secret')) {
      assert.equal(object.metadata.annotations?.['helm.sh/resource-policy'], 'keep', variant);
      assert.match(
        Buffer.from(Object.values(object.data ?? {})[0] ?? '', 'base64').toString(),
        /^[A-Za-z0-9]{48}$/,
        variant,
      );
    }
  });

  it('makes no Secret and needs no operator’s token where all are given', () => {
    for (const engine of engines) {
      const objects = rendered.get(`${engine}, Secrets of others`) ?? [];
      assert.deepEqual(
        objects.filter(({ kind }) => kind === 'Secret'),
        [],
      );
      const worker = podOf(objectOf(objects, 'Deployment', 'worker'));
      assert.equal(worker?.initContainers, undefined);
    }
  });

  it('pins every image to a version or a digest', () => {
    for (const [where, { image }] of everyContainer())
      assert.match(image, /:\d+\.\d+\.\d+$|@sha256:[0-9a-f]{64}$/, where);
  });

  it('has Services, policies, budgets and monitors that select pods, and ports that these have', () => {
    for (const [variant, objects] of rendered) assertSelections(variant, objects);
  });

  it('says the same alerts and the same dashboard as for every other deployment', async () => {
    for (const name of ['alerts.yaml', 'dashboard.json']) {
      const [chart, original] = await Promise.all(
        [join(chartFolder, 'files'), join(root, 'deploy/monitoring')].map((folder) =>
          readFile(join(folder, name), 'utf8'),
        ),
      );
      assert.equal(chart, original, `copy deploy/monitoring/${name} to deploy/kubernetes/mvm-ci/files`);
    }
    const objects = rendered.get('embedded, every part') ?? [];
    const [original] = tools.parseYaml(await readFile(join(root, 'deploy/monitoring/alerts.yaml'), 'utf8'));
    assert.deepEqual(objectOf(objects, 'PrometheusRule').spec, original);
    const dashboard = objectOf(objects, 'ConfigMap', 'dashboard').data?.['mvm-ci.json'] ?? '';
    assert.deepEqual(
      JSON.parse(dashboard),
      JSON.parse(await readFile(join(chartFolder, 'files/dashboard.json'), 'utf8')),
    );
  });

  it('refuses wrong values, and says where and why', async () => {
    const wrong: readonly (readonly [Values, RegExp])[] = [
      [{ engine: 'shared' }, /'\/engine': value must be one of 'embedded', 'peer', 'pool', 'remote'/],
      [{ 'workers.replica': 3 }, /'\/workers': additional properties 'replica' not allowed/],
      [{ 'workers.slots': 0 }, /'\/workers\/slots': minimum: got 0, want 1/],
      [{ 'workers.graceSeconds': '20s' }, /'\/workers\/graceSeconds': got string, want integer/],
      [{ 'workers.ticket.expires': '1 hour' }, /'\/workers\/ticket\/expires': .*does not match pattern/],
      [{ 'image.tag': 'latest' }, /'\/image\/tag'/],
      [{ 'image.digests.worker': 'sha256:short' }, /'\/image\/digests\/worker'/],
      [{ 'controlPlane.replicas': 2 }, /'\/controlPlane': additional properties 'replicas' not allowed/],
      [{ 'controlPlane.storage.accessMode': 'ReadWriteMany' }, /'\/controlPlane\/storage\/accessMode'/],
      [{ 'controlPlane.advertise': ['ci.example.org'] }, /'\/controlPlane\/advertise\/0'/],
      [{ 'controlPlane.ingress.enabled': true }, /'\/controlPlane\/ingress\/host': minLength/],
      [{ 'engines.maxRuns': 20_000 }, /'\/engines\/maxRuns': maximum/],
      [{ logLevel: 'verbose' }, /'\/logLevel': value must be one of/],
    ];
    for (const [values, message] of wrong) assert.match(await refusal(values), message);
  });
});

/** Has the compiler compare every object with the types of Kubernetes: unknown fields, missing ones, wrong types. */
const knownToKubernetes = async (): Promise<void> => {
  const folder = await mkdtemp(join(tools.folder, 'check-'));
  try {
    const lines = everyObject().map(([variant, object], index) => {
      const source = object.apiVersion.startsWith('monitoring.coreos.com/')
        ? '@kubernetes-models/prometheus-operator'
        : 'kubernetes-models';
      const type = `import('${source}/${object.apiVersion}/${object.kind}').I${object.kind}`;
      return `// ${variant}\nexport const object${index}: ${type} = ${JSON.stringify(object)};`;
    });
    await writeFile(join(folder, 'objects.mts'), [...lines, misspelt].join('\n'));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const flags = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--target',
      'esnext',
      '--types',
      '',
    ];
    const failure = await promisify(execFile)(process.execPath, [tsc, ...flags, 'objects.mts'], { cwd: folder }).then(
      () => '',
      (error: { readonly stdout: string }) => error.stdout,
    );
    assert.equal(failure, '');
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** What must be refused, or the comparison sees nothing. */
const misspelt = `// @ts-expect-error
export const misspelt: import('kubernetes-models/v1/Pod').IPod = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'a', imagee: 'b' }] } };`;

const isSelected = (labels: Labels, wanted: Labels): boolean =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

/** The ports of the one pod that a selector means. */
const portsOf = (objects: readonly KubeObject[], selector: Labels = {}): readonly string[] => {
  const selected = objects.filter(({ kind, metadata, spec }) => {
    const labels = kind === 'Pod' ? metadata.labels : spec?.template?.metadata.labels;
    return labels !== undefined && isSelected(labels, selector);
  });
  assert.equal(selected.length, 1, JSON.stringify(selector));
  return selected
    .flatMap((object) => podOf(object)?.containers ?? [])
    .flatMap(({ ports = [] }) => ports.map(({ name }) => name));
};

/** By the kind of an object: which pods it means, and which of their ports. */
const meant: Readonly<
  Record<string, (spec: Spec) => readonly [selector: Labels | undefined, ports: readonly string[]]>
> = {
  Service: ({ selector, ports = [] }) => [selector, ports.map(({ targetPort }) => targetPort)],
  Deployment: ({ selector }) => [selector?.matchLabels, []],
  StatefulSet: ({ selector }) => [selector?.matchLabels, []],
  PodDisruptionBudget: ({ selector }) => [selector?.matchLabels, []],
  PodMonitor: ({ selector, podMetricsEndpoints = [] }) => [
    selector?.matchLabels,
    podMetricsEndpoints.map(({ port }) => port),
  ],
  NetworkPolicy: ({ podSelector, ingress = [] }) => [
    podSelector?.matchLabels,
    ingress.flatMap(({ ports }) => ports.map(({ port }) => port)),
  ],
};

const assertSelections = (variant: string, objects: readonly KubeObject[]): void => {
  for (const { kind, metadata, spec = { containers: [] } } of objects) {
    const where = `${variant}: ${kind} ${metadata.name}`;
    const read = meant[kind];
    if (read) {
      const [selector, wanted] = read(spec);
      const ports = portsOf(objects, selector);
      assert.deepEqual(
        wanted.filter((port) => !ports.includes(port)),
        [],
        where,
      );
    }
    if (kind === 'HorizontalPodAutoscaler') {
      const scaled = objects.find(
        (object) => object.kind === spec.scaleTargetRef?.kind && object.metadata.name === spec.scaleTargetRef.name,
      );
      assert.ok(scaled && scaled.spec?.replicas === undefined, where);
    }
  }
};
