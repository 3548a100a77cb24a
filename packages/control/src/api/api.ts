/**
 * The API: one fetch-style handler for both listeners (HTTP and HTTP/3 over iroh). The listener says who calls; the
 * operations say who may (`trust/access.ts`); everything that is refused is answered as `{ "error": { code, message, details } }`.
 */
import { bodyTypeOf, decodeBody, mvmError, routes } from '@mvm-ci/protocol';
import { Hono, type Context } from 'hono';
import type { Core } from '../core.ts';
import { controlLimits } from '../limits.ts';
import type { Logger } from '../logger.ts';
import { admit } from '../trust/access.ts';
import { blobOperations, blobPartOperations } from './blob-operations.ts';
import { BodyBudget, freeShare, type BodyShare } from './body-budget.ts';
import type { Caller } from './caller.ts';
import { clusterOperations } from './cluster-operations.ts';
import { counted } from './counted-call.ts';
import { eventOperation } from './event-operation.ts';
import { engineLinkOperation } from './engine-link-operation.ts';
import { logEventOperation } from './log-event-operation.ts';
import { nodeOperations } from './node-operations.ts';
import { openapiOperation } from './openapi.ts';
import type { Operation } from './operation.ts';
import { peerOperations } from './peer-operations.ts';
import { peerStreamOperation } from './peer-stream-operation.ts';
import { queueOperations } from './queue-operations.ts';
import { readBody } from './request-body.ts';
import { answerType, errorResponse, outcomeResponse, probeRefusal } from './response.ts';
import { scheduleOperations } from './schedule-operations.ts';
import { noteUnexpected } from './unexpected.ts';
import { upkeepOperations } from './upkeep-operations.ts';
import { webhookOperations } from './webhook-operations.ts';

/** What the API serves, and where its unexpected errors go. */
export interface ApiParts {
  readonly core: Core;
  readonly logger: Logger;
  /** `jobs`: the routes for jobs and modules alone, of a server that has no peers. @default 'cluster' */
  readonly scope?: 'cluster' | 'jobs' | undefined;
}

/** See the head of this file. */
export interface Api {
  /** Answers a request of a caller whom the listener has identified. Never rejects. */
  fetch(request: Request, caller: Caller): Promise<Response>;
}

interface Bound {
  readonly Bindings: { readonly caller: Caller };
}

/** What a member may call over a peer stream, or in the same process. */
export const callOperations: readonly Operation[] = [
  ...queueOperations,
  ...upkeepOperations,
  ...scheduleOperations,
  eventOperation,
  logEventOperation,
  ...peerOperations,
  ...blobPartOperations,
  ...blobOperations,
  ...nodeOperations,
  ...webhookOperations,
  ...clusterOperations,
];

const described: readonly Operation[] = [...callOperations, peerStreamOperation(callOperations), engineLinkOperation];

/** Every operation of the API. */
export const operations: readonly Operation[] = [...described, openapiOperation(described)];

const jobOperations: readonly Operation[] = [
  ...queueOperations,
  ...upkeepOperations,
  ...scheduleOperations,
  eventOperation,
  logEventOperation,
  ...blobOperations,
  ...clusterOperations,
];

/** Makes the API of a core. */
export const createApi = (parts: ApiParts): Api => {
  const app = new Hono<Bound>();
  const served = parts.scope === 'jobs' ? [...jobOperations, openapiOperation(jobOperations)] : operations;
  const serving = { ...parts, budget: new BodyBudget(controlLimits.nodeBodyBytesMax) };
  for (const one of served) {
    app.on(one.method, routes[one.route], (context) =>
      counted(parts.core, one.route, () => serve(serving, one, context)),
    );
  }
  app.notFound((context) => refuse(parts, context, routeNotFound(context)));
  app.onError((error, context) => refuse(parts, context, error));
  return { fetch: async (request, caller) => app.fetch(request, { caller }) };
};

interface Serving extends ApiParts {
  readonly budget: BodyBudget;
}

const serve = async (parts: Serving, one: Operation, context: Context<Bound>): Promise<Response> => {
  const { core } = parts;
  const caller = admit(core.nodes, one, context.env.caller);
  const request = context.req.raw;
  const share = caller.kind === 'peer' ? parts.budget.share(caller.node) : freeShare;
  const outcome = await one.invoke({
    core,
    caller,
    logger: parts.logger,
    signal: request.signal,
    header: (name) => request.headers.get(name),
    body: await bodyOf(one, request, share),
    search: context.req.query(),
    parameter: Object.values(context.req.param())[0] ?? '',
  });
  const response = await outcomeResponse(outcome, request);
  return request.method === 'HEAD' ? withoutBody(response) : response;
};

/** Nobody will read it: what it holds open is let go. */
const withoutBody = async (response: Response): Promise<Response> => {
  await response.body?.cancel();
  return new Response(null, response);
};

const bodyOf = async (one: Operation, request: Request, share: BodyShare): Promise<unknown> => {
  if (one.body.mode === 'none') return undefined;
  if (one.body.mode === 'stream') return request.body;
  using held = share;
  const bytes = await readBody(request, one.bodyBytesMax, held);
  if (one.body.mode === 'bytes') return bytes;
  // No body at all stands for an absent value; the schema says whether that will do.
  return bytes.length === 0 ? undefined : decodeBody(bytes, bodyTypeOf(request.headers.get('content-type')));
};

const routeNotFound = (context: Context<Bound>): Error =>
  mvmError(
    'ROUTE_NOT_FOUND',
    `there is no ${context.req.method} ${context.req.path}; GET ${routes.openapi} names all routes`,
  );

const probePaths: ReadonlySet<string> = new Set([routes.health, routes.ready]);

const refuse = (parts: ApiParts, context: Context<Bound>, error: unknown): Response => {
  noteUnexpected(parts.logger, error, context.req);
  const type = answerType(context.req.raw);
  const isProbe = probePaths.has(context.req.path) && type === 'application/json';
  return isProbe ? probeRefusal(error) : errorResponse(error, type);
};
