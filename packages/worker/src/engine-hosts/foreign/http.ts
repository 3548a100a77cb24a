/** An HTTP request with a whole body. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

/** A whole answer; header names in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Plain HTTP as a port. It waits for an answer without limit, follows no redirect, and uses a connection of its own, so that
 * a failure tells whether the request can have arrived.
 *
 * @throws CONNECTION_LOST with `details.isSent`: false when not a byte of the request left; LIMIT_EXCEEDED for an answer
 *   that is too long; CANCELLED when the signal fired
 */
export type SendHttp = (request: HttpRequest, options: { readonly signal: AbortSignal }) => Promise<HttpAnswer>;
