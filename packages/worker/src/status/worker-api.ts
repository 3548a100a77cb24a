/**
 * What a worker answers over HTTP about itself: that it is well, whether it takes jobs, and its metrics. Nothing of its jobs.
 *
 * 1. It is well while it can go on by itself: not being joined, or an engine elsewhere that is away, is nothing that a
 *    restart would mend. An engine in this process that can't run guests is.
 * 2. It is ready while it takes jobs; the reasons say why it does not.
 */
import type { MetricSet } from '@mvm-ci/metrics';
import { asMvmError, errorBody, mvmError, probeText, routes } from '@mvm-ci/protocol';
import { Hono } from 'hono';
import type { WorkerState } from '../worker.ts';

/** What it answers from. */
export interface WorkerApiParts {
  /** Undefined: it has not joined yet. */
  readonly state: () => WorkerState | undefined;
  readonly metrics: Pick<MetricSet, 'contentType' | 'text'>;
  /** Lets a request in, or throws. */
  readonly gate: (request: Request) => void;
}

/** How the engine does, by rule 1. */
interface WorkerHealth {
  readonly healthy: boolean;
  /** `here`, or `elsewhere`. */
  readonly engine: string;
  readonly fault?: string;
}

const healthOf = (state: WorkerState | undefined): WorkerHealth => {
  const engine = state?.engine;
  if (engine === undefined) return { healthy: true, engine: state === undefined ? 'unknown' : 'elsewhere' };
  return { healthy: engine.fault === undefined, engine: 'here', ...(engine.fault && { fault: engine.fault }) };
};

const jsonType = { 'content-type': 'application/json' } as const;

/** The routes as one fetch-style handler. Never rejects. */
export const workerApi = ({ state, metrics, gate }: WorkerApiParts): ((request: Request) => Promise<Response>) => {
  const app = new Hono();
  app.use(async (context, next) => {
    gate(context.req.raw);
    await next();
  });
  app.get(routes.health, (context) => {
    const health = healthOf(state());
    return context.body(probeText(health), health.healthy ? 200 : 503, jsonType);
  });
  app.get(routes.ready, (context) => {
    const reasons = state()?.reasons ?? ['it has not joined its control plane yet'];
    const ready = reasons.length === 0;
    return context.body(probeText({ ready, reasons }), ready ? 200 : 503, jsonType);
  });
  app.get(routes.metrics, async (context) =>
    context.body(await metrics.text(), 200, { 'content-type': metrics.contentType }),
  );
  app.notFound(({ req }) => {
    throw mvmError('ROUTE_NOT_FOUND', `there is no ${req.method} ${req.path} here`, {
      routes: [routes.health, routes.ready, routes.metrics].map((path) => `GET ${path}`),
    });
  });
  app.onError((thrown) => {
    const error = asMvmError(thrown);
    return Response.json(errorBody(error.toRecord()), { status: error.status });
  });
  return async (request) => app.fetch(request);
};
