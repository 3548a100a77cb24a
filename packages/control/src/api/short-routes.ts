/**
 * Operations that are served without a `Request` and a `Response` as well: those of which thousands are asked in a second, with
 * JSON in and out. What is let in, counted, checked and refused, and how, is the same as in `api.ts`.
 */
import type { OperatorGate, ShortRequest, ShortRoutes } from '@mvm-ci/net';
import { bodyTypeOf, decodeBody, routes } from '@mvm-ci/protocol';
import type { Core } from '../core.ts';
import type { Logger } from '../logger.ts';
import { counted } from './counted-call.ts';
import type { Operation, Outcome } from './operation.ts';
import { shortAnswer, shortRefusal } from './response.ts';
import { noteUnexpected } from './unexpected.ts';

/** What serves them, to the operator. */
export interface ShortRoutesParts {
  readonly core: Core;
  readonly logger: Logger;
  readonly gate: OperatorGate;
}

/** Makes the routes of `operations`, which neither wait for something nor have a path with a parameter. */
export const shortRoutes = (parts: ShortRoutesParts, operations: readonly Operation[]): ShortRoutes => {
  const { core, logger, gate } = parts;
  const byPath = new Map<string, Operation>(operations.map((one) => [routes[one.route], one]));
  return {
    bodyBytesMax: (path) => byPath.get(path)?.bodyBytesMax,
    answer: async (path, request) => {
      try {
        gate(request);
        const one = byPath.get(path);
        if (one === undefined) throw new Error(`there is no short route ${path}`);
        return shortAnswer(await counted(core, one.route, () => invoke(parts, one, request)));
      } catch (error) {
        noteUnexpected(logger, error, { method: 'POST', path });
        return shortRefusal(error);
      }
    },
  };
};

const invoke = (
  { core, logger }: ShortRoutesParts,
  one: Operation,
  { headers, body }: ShortRequest,
): Outcome | Promise<Outcome> =>
  one.invoke({
    core,
    caller: { kind: 'operator' },
    logger,
    signal: lasting,
    header: headers.get,
    body: decodeBody(body, bodyTypeOf(headers.get('content-type'))),
    search: {},
    parameter: '',
  });

// None of them waits for anything but the store.
const { signal: lasting } = new AbortController();
