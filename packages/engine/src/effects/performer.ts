import type { Answer, BlobPort, ByteSource, FetchIntent, TraceContext } from '@mvm-ci/protocol';

/** A request to be sent: the guest's intent with the `Idempotency-Key` that goes with it. */
export interface FetchOrder {
  readonly intent: FetchIntent;
  readonly key: string;
  /** Whose blobs it reads and writes. */
  readonly job: string;
  /** Where those are. @default where the performer keeps them */
  readonly blobs?: BlobPort | undefined;
  /** Goes along as `traceparent` and `tracestate`, unless the guest has set a `traceparent`. @default neither is sent */
  readonly trace?: TraceContext | undefined;
  /** What a body passes through on its way into a blob. @default nothing */
  readonly filter?: ((body: ByteSource) => ByteSource) | undefined;
}

/**
 * Performs the external effects of guests. The one place through which a workflow reaches the network, so the one place
 * for a policy on where it may go.
 */
export interface EffectPerformer {
  /**
   * Sends the request once and reads its response. Failures are answers too: it rejects only when `signal` fires, and
   * then nobody looks at the result.
   */
  fetch(order: FetchOrder, options: { readonly signal: AbortSignal }): Promise<Answer>;
}

/** The `Idempotency-Key` of a call: the author's, or one that is the same each time the same call is sent. */
export const idempotencyKey = (job: string, attempt: number, intent: FetchIntent): string =>
  intent.key ?? `${job}:${attempt}:${intent.call}`;

const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** Whether a request may be sent again after an unknown outcome (RFC 9110 section 9.2.2, or the author's word). */
export const isIdempotent = (intent: FetchIntent): boolean =>
  intent.idempotent ?? idempotentMethods.has(intent.method.toUpperCase());
