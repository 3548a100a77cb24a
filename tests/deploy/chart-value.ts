/** Values of the chart that together switch on every part of it, by a name for the tests. */
import { engines, type Engine } from './chart.ts';

/** A set of values, by path. */
export type Values = Readonly<Record<string, unknown>>;

const scaled = { enabled: true, minReplicas: 2, maxReplicas: 5, cpuPercent: 60 };
const queueDepth = {
  type: 'External',
  external: {
    metric: { name: 'mvm_ci_queue_ready_jobs', selector: { matchLabels: { queue: 'default' } } },
    target: { type: 'AverageValue', averageValue: '20' },
  },
};

const everything: Values = {
  image: { registry: 'registry.example.org/team/', tag: '1.2.3', digests: { worker: `sha256:${'a'.repeat(64)}` } },
  imagePullSecrets: [{ name: 'login' }],
  'workflowSecrets.existingSecret': 'workflow-secrets',
  otlpEndpoint: 'http://collector:4318',
  'controlPlane.keepCompleted': '7d,100000',
  'controlPlane.keepFailed': '30d',
  'controlPlane.keepCancelled': '1000',
  'controlPlane.storage': { size: '100Gi', className: 'fast', accessMode: 'ReadWriteOncePod' },
  'controlPlane.advertise': ['ci.example.org:3021'],
  'controlPlane.external': { type: 'LoadBalancer', annotations: { a: 'b' }, nodePort: 30021 },
  'controlPlane.ingress': { enabled: true, className: 'nginx', host: 'ci.example.org', tlsSecret: 'ci-tls' },
  'controlPlane.extraEnv': [{ name: 'OTEL_SERVICE_NAME', value: 'ci' }],
  'controlPlane.leaseMs': 3_000_000,
  'workers.tags': ['linux', 'x64'],
  'workers.queues': ['default', 'slow'],
  'workers.threads': 2,
  'workers.autoscaling': { ...scaled, extraMetrics: [queueDepth] },
  'workers.nodeSelector': { pool: 'ci' },
  'workers.tolerations': [{ key: 'ci', operator: 'Exists' }],
  'workers.podAnnotations': { a: 'b' },
  'engines.autoscaling': scaled,
  'engines.threads': 4,
  'networkPolicy.apiFrom': [{ namespaceSelector: { matchLabels: { name: 'ingress' } } }],
  'networkPolicy.metricsFrom': [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
  'networkPolicy.effects': [{ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }],
  'networkPolicy.traces': [{ to: [{ podSelector: { matchLabels: { app: 'collector' } } }], ports: [{ port: 4318 }] }],
  'monitoring.serviceMonitor': { enabled: true, labels: { release: 'prometheus' } },
  'monitoring.rules': { enabled: true, labels: { release: 'prometheus' } },
  'monitoring.dashboard.enabled': true,
};

const given: Values = {
  'operatorToken.existingSecret': 'my-operator',
  'engineToken.existingSecret': 'my-engine',
  'workers.ticket.existingSecret': 'my-ticket',
  'workers.disruptionBudget.enabled': false,
  'networkPolicy.enabled': false,
};

/** Every set with its name and its engine. */
export const variants: readonly { readonly name: string; readonly engine: Engine; readonly values: Values }[] =
  engines.flatMap((engine) => [
    { name: `${engine}, defaults`, engine, values: { engine } },
    { name: `${engine}, every part`, engine, values: { engine, ...everything } },
    { name: `${engine}, Secrets of others`, engine, values: { engine, ...given } },
  ]);
