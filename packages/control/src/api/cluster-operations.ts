/** Modules, and what the control plane says of itself. */
import {
  deployedModuleSchema,
  handlerOf,
  handlerPrefix,
  idSchema,
  limits,
  mvmError,
  repinAnswerSchema,
  repinRequestSchema,
  peerProtocols,
  probeText,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import type { LeasePeriods } from '../limits.ts';
import { bodyOf, noBody, rawBody } from './body-spec.ts';
import { noSearch, operation, value, type Operation, type Outcome } from './operation.ts';
import { infoSchema, modulesSchema, readySchema } from './schemas.ts';

/** What the control plane calls itself. */
export const product = { name: 'mvm-ci', version: '0.1.0' } as const;

// What begins so is a handler's.
const moduleNameSchema = idSchema.refine((name) => handlerOf(name) === undefined, {
  message: `the name of a module does not begin with "${handlerPrefix}"`,
});

const deploy = operation({
  method: 'POST',
  route: 'modules',
  access: 'operator',
  summary: 'Deploy a module file under name and version. Idempotent by content.',
  body: rawBody,
  bodyBytesMax: limits.moduleBytesMax,
  search: z.object({ name: moduleNameSchema, version: idSchema }),
  answers: deployedModuleSchema,
  run: async ({ core, body, search, header }) => {
    const type = header('content-type');
    if (type !== 'application/octet-stream') {
      throw mvmError(
        'UNSUPPORTED_MEDIA_TYPE',
        `a module file is sent as application/octet-stream, not ${type ?? 'without a type'}`,
      );
    }
    return value(await core.modules.deploy({ ...search, file: body }));
  },
});

const modules = operation({
  method: 'GET',
  route: 'modules',
  access: 'operator',
  summary: 'All deployments, the last one first.',
  body: noBody,
  search: noSearch,
  answers: modulesSchema,
  run: async ({ core }) => value(await core.modules.list()),
});

const module = operation({
  method: 'GET',
  route: 'module',
  access: 'operator',
  summary: 'The last deployment of the module with this hash.',
  body: noBody,
  search: noSearch,
  answers: deployedModuleSchema,
  run: async ({ core, parameter }) => value(await core.modules.get(parameter)),
});

const candidate = operation({
  method: 'POST',
  route: 'candidate',
  access: 'operator',
  summary: 'Keep a module file for replays by workers, without deploying it; the last few are kept, in memory.',
  body: rawBody,
  bodyBytesMax: limits.moduleBytesMax,
  search: noSearch,
  answers: z.object({ hash: z.string() }),
  run: ({ core, body }) => value({ hash: core.modules.keepCandidate(body) }),
});

const repin = operation({
  method: 'POST',
  route: 'repin',
  access: 'operator',
  summary:
    'Let live jobs go on with another deployed module, those that nobody holds and whose journals were replayed with it.',
  body: bodyOf(repinRequestSchema),
  search: noSearch,
  answers: repinAnswerSchema,
  run: async ({ core, body }) => value({ results: await core.modules.repin(body) }),
});

const moduleFile = operation({
  method: 'GET',
  route: 'moduleFile',
  access: 'operator',
  summary: 'The file of the module with this hash.',
  body: noBody,
  search: noSearch,
  answers: 'application/octet-stream',
  run: async ({ core, parameter }) => ({ type: 'bytes', bytes: await core.modules.file(parameter) }),
});

const leaseView = ({ leaseMs, heartbeatMs, idleHeartbeatMs }: LeasePeriods): object => ({
  lease_ms: leaseMs,
  heartbeat_ms: heartbeatMs,
  idle_heartbeat_ms: idleHeartbeatMs,
});

const info = operation({
  method: 'GET',
  route: 'info',
  access: 'member',
  summary: 'Name, version, cluster and counts.',
  body: noBody,
  search: noSearch,
  answers: infoSchema,
  run: async ({ core }) =>
    value({
      ...product,
      cluster: core.cluster,
      jobs: await core.queue.stats(core.nodes.countAlive()),
      lease: leaseView(core.periods),
      peer_protocol: peerProtocols,
    }),
});

const probe = (answer: object): Outcome => ({
  type: 'text',
  text: probeText(answer),
  contentType: 'application/json',
});

const health = operation({
  method: 'GET',
  route: 'health',
  access: 'member',
  summary: 'Whether the process answers.',
  body: noBody,
  search: noSearch,
  answers: z.object({ healthy: z.boolean() }),
  run: () => probe({ healthy: true }),
});

const ready = operation({
  method: 'GET',
  route: 'ready',
  access: 'member',
  summary: 'Whether the store answers; 503 when it does not.',
  body: noBody,
  search: noSearch,
  answers: readySchema,
  run: async ({ core }) => {
    await core.queue.stats(0);
    return probe({ ready: true });
  },
});

const metrics = operation({
  method: 'GET',
  route: 'metrics',
  access: 'operator',
  summary: 'What it tells of itself, as Prometheus text.',
  body: noBody,
  search: noSearch,
  answers: 'text/plain',
  run: async ({ core }) => ({
    type: 'text',
    text: await core.metrics.text(),
    contentType: core.metrics.contentType,
  }),
});

/** The operations of this file. */
export const clusterOperations: readonly Operation[] = [
  deploy,
  modules,
  candidate,
  repin,
  module,
  moduleFile,
  info,
  health,
  ready,
  metrics,
];
