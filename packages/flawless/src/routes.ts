/**
 * The routes of an engine server, as one fetch-style handler. It answers from what it is given and owns nothing; a link is
 * let in here by its head alone, and served by whoever listens.
 */
import {
  asMvmError,
  engineRoutes,
  errorBody,
  linkFeaturesHeader,
  linkHeader,
  linkVersion,
  mvmError,
  probeText,
  type EngineStatus,
  type LinkFeature,
  type Logger,
  type MvmError,
} from '@mvm-ci/protocol';
import { Hono, type Context } from 'hono';
import type { MetricSet } from '@mvm-ci/metrics';
import { flawlessRefusal, flawlessRoutes, isFlawlessPath, mountFlawless } from './flawless-api.ts';
import { flawlessLimits } from './limits.ts';
import type { OwnJobs } from './own-jobs.ts';

/** What the routes answer from. */
export interface RoutesParts {
  /** Lets a request in, or throws UNAUTHENTICATED or FORBIDDEN. */
  readonly gate: (request: Request) => void;
  readonly status: () => EngineStatus;
  /** What links can do here beyond the protocol's number. */
  readonly features: readonly LinkFeature[];
  /** Why no link can be opened now. */
  readonly linkObstacle: () => MvmError | undefined;
  /** Jobs of its own. @default none: it runs those of others alone */
  readonly jobs?: Pick<OwnJobs, 'flawless' | 'fetch'> | undefined;
  readonly metrics: Pick<MetricSet, 'contentType' | 'text'>;
  readonly logger: Logger;
}

/** Answers a request. Never rejects. */
export type EngineApi = (request: Request) => Promise<Response>;

/** Makes the routes. */
export const engineApi = (parts: RoutesParts): EngineApi => {
  const app = new Hono();
  app.use(async (context, next) => {
    parts.gate(context.req.raw);
    await next();
  });
  app.get(engineRoutes.version, (context) => versionAnswer(context, parts.status()));
  app.get(engineRoutes.health, (context) => context.body(probeText({ status: 'ok' }), 200, jsonType));
  app.get(engineRoutes.ready, (context) => readyAnswer(context, parts.status()));
  app.get(engineRoutes.metrics, async (context) =>
    context.body(await parts.metrics.text(), 200, { 'content-type': parts.metrics.contentType }),
  );
  app.post(engineRoutes.link, (context) => {
    const obstacle = parts.linkObstacle();
    if (obstacle) throw obstacle;
    return context.body(null, 200, { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' });
  });
  const { jobs } = parts;
  if (jobs) mountFlawless(app, jobs.flawless);
  app.notFound((context) => {
    if (jobs && !isFlawlessPath(context.req.path)) return jobs.fetch(context.req.raw);
    throw noRoute(context, jobs);
  });
  app.onError((error, context) => refusal(error, context, parts.logger));
  return async (request) => identified(await app.fetch(request), parts.features);
};

const described = [
  `GET ${engineRoutes.version}`,
  `GET ${engineRoutes.health}`,
  `GET ${engineRoutes.ready}`,
  `GET ${engineRoutes.metrics}`,
  `POST ${engineRoutes.link}`,
];

const flawlessDescribed = Object.values(flawlessRoutes).map((path) => `POST ${path}`);

const noRoute = ({ req }: Context, jobs: RoutesParts['jobs']): MvmError => {
  const message = `there is no ${req.method} ${req.path} here`;
  if (jobs) return mvmError('ROUTE_NOT_FOUND', message, { routes: [...described, ...flawlessDescribed] });
  const alone = isFlawlessPath(req.path) || /^\/(?:queue|modules)\b/.test(req.path);
  const hint = alone
    ? ': this engine server has no jobs of its own (it is beside a control plane, or was started with --jobs off)'
    : '';
  return mvmError('ROUTE_NOT_FOUND', message + hint, { routes: [...described] });
};

// Every answer says that this is an engine server with a link: a client may ask whatever it likes first.
const identified = (response: Response, features: readonly LinkFeature[]): Response => {
  response.headers.set(linkHeader, String(linkVersion));
  response.headers.set(linkFeaturesHeader, features.join(', '));
  return response;
};

/** Text for people and for Flawless' own clients; JSON for those who ask for it. */
const versionAnswer = (context: Context, { version, link }: EngineStatus): Response =>
  context.req.header('accept')?.includes('application/json') === true
    ? context.json({ name: 'mvm-ci', version, link })
    : context.text(version);

const readyAnswer = (context: Context, status: EngineStatus): Response =>
  context.body(probeText(status), status.ready ? 200 : 503, { ...jsonType, ...(!status.ready && retryAfter) });

const jsonType = { 'content-type': 'application/json' } as const;

const retryAfter = { 'retry-after': String(flawlessLimits.retryAfterSeconds) };

const refusal = (thrown: Error, context: Context, logger: Logger): Response => {
  const { method, path } = context.req;
  const error = asMvmError(thrown);
  if (error.code === 'INTERNAL') logger.error({ err: thrown, method, path }, 'a request failed unexpectedly');
  const shown =
    error.code === 'INTERNAL' ? mvmError('INTERNAL', "an unexpected error; the engine server's log has it") : error;
  if (isFlawlessPath(path)) return flawlessRefusal(shown);
  const headers = error.code === 'UNAVAILABLE' ? retryAfter : {};
  return Response.json(errorBody(shown.toRecord()), { status: shown.status, headers });
};
