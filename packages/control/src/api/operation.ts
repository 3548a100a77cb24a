/** One route with one method: who may use it, what it takes, what it answers, and the code behind it. */
import { limits, parseAs, type routes } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Core } from '../core.ts';
import type { Logger } from '../logger.ts';
import type { BodySpec } from './body-spec.ts';
import type { Access } from '../trust/access.ts';
import type { Admitted } from './caller.ts';

/** A request that was let in. */
export interface Call<Body, Search> {
  readonly core: Core;
  readonly caller: Admitted;
  /** Where the unexpected goes. */
  readonly logger: Logger;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** A header of the request, null where it has none; a call over a peer stream has none at all. */
  readonly header: (name: string) => string | null;
  readonly body: Body;
  readonly search: Search;
  /** The path's parameter, '' where the route has none. */
  readonly parameter: string;
}

/** What an operation answers. */
export type Outcome =
  | { readonly type: 'value'; readonly value: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'text'; readonly text: string; readonly contentType: string }
  | { readonly type: 'events'; readonly stream: ReadableStream<Uint8Array> }
  /** A stream of frames, which is served over HTTP only. */
  | { readonly type: 'frames'; readonly stream: ReadableStream<Uint8Array> }
  /** Bytes of a known length. */
  | {
      readonly type: 'stream';
      readonly status: 200 | 206;
      readonly stream: ReadableStream<Uint8Array>;
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly type: 'nothing' };

/** What the description of the API and the server need to know of an operation. */
interface OperationHead {
  readonly method: 'GET' | 'POST';
  readonly route: keyof typeof routes;
  readonly access: Access;
  readonly summary: string;
  /** A schema, or the content type of what is none. */
  readonly answers: z.ZodType | 'application/octet-stream' | 'text/event-stream' | 'text/plain';
  /** Whether 204 is an answer too. @default false */
  readonly mayBeEmpty?: boolean;
}

/** An operation, as its author writes it. */
export interface OperationOptions<Body, Search> extends OperationHead {
  readonly body: BodySpec<Body>;
  /** @default limits.requestBytesMax */
  readonly bodyBytesMax?: number;
  readonly search: z.ZodType<Search>;
  readonly run: (call: Call<Body, Search>) => Outcome | Promise<Outcome>;
}

/** An operation, as the server mounts it. */
export interface Operation extends OperationHead {
  readonly body: BodySpec<unknown>;
  readonly bodyBytesMax: number;
  readonly search: z.ZodType;
  /** @throws INVALID_ARGUMENT when body or search don't fit, and what the operation throws */
  readonly invoke: (call: Call<unknown, unknown>) => Outcome | Promise<Outcome>;
}

/** The search of a route that takes none. */
export const noSearch: z.ZodType<Record<string, never>> = z.object({});

/** Makes an operation: its body and search are parsed before `run` sees them. */
export const operation = <Body, Search>(options: OperationOptions<Body, Search>): Operation => {
  const { run, bodyBytesMax = limits.requestBytesMax, ...head } = options;
  const invoke = (call: Call<unknown, unknown>): Outcome | Promise<Outcome> =>
    run({
      ...call,
      body: options.body.parse(call.body),
      search: parseAs(options.search, call.search, 'the query string'),
    });
  return { ...head, bodyBytesMax, invoke };
};

/** A value as an outcome. */
export const value = (answer: unknown, headers?: Readonly<Record<string, string>>): Outcome => ({
  type: 'value',
  value: answer,
  ...(headers && { headers }),
});
