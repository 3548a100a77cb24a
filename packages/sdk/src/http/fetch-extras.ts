/** When and how often a request is sent again. The waits are durable. */
export interface Retry {
  /** Tries in all. @default 3 */
  readonly attempts?: number | undefined;
  /** Before the second try, in ms; each wait is multiplied by a random 0.5–1. @default 1000 */
  readonly initialMs?: number | undefined;
  /** By how much each wait is longer than the one before. @default 2 */
  readonly factor?: number | undefined;
  /** The longest wait; a longer `Retry-After` of the response, up to a day, is kept. @default 60000 */
  readonly maxMs?: number | undefined;
  /**
   * Whether this response is one to try again after. @default status 408, 425, 429, 500, 502, 503 or 504; for a method that is not
   * idempotent only 429 and 503, which say that nothing was done
   */
  readonly on?:
    | ((response: { readonly status: number; readonly headers: { get(name: string): string | null } }) => boolean)
    | undefined;
}

/**
 * Finds out whether a request took effect whose outcome is unknown. It gives the response to go on with (or a JSON value, or true, of which one
 * is made), or nothing when the request was not done: then it is sent again.
 */
export type Probe = () => unknown;

/** What `fetch` takes in a workflow beside the options of the Fetch standard. */
export interface FetchExtras {
  /**
   * Whether the request may be sent again, with the same `Idempotency-Key`, when a crash left it unknown whether it
   * arrived. @default by the method (RFC 9110 section 9.2.2): true for GET, HEAD, PUT, DELETE, OPTIONS and TRACE.
   * When false, such a fetch rejects with the code `OUTCOME_UNKNOWN`.
   */
  readonly idempotent?: boolean | undefined;
  /** The `Idempotency-Key` header. @default `<job>:<attempt>:<call>`, made by the host. */
  readonly idempotencyKey?: string | undefined;
  /** Whole time for the request and its body, in ms. @default 120000 */
  readonly timeoutMs?: number | undefined;
  /**
   * Sends the request again, always with the same `Idempotency-Key`: after a lost connection or a missed deadline when it is idempotent, and
   * after responses that `on` chooses. @default it is sent once
   */
  readonly retry?: Retry | undefined;
  /**
   * For a request that is not idempotent: asked, after `timeoutMs`, when it is unknown whether it took effect. @default the fetch rejects, with
   * `OUTCOME_UNKNOWN` after a crash
   */
  readonly probe?: Probe | undefined;
  /**
   * `'blob'`: the response's body is kept as a blob of the cluster, however long it is, and the workflow gets its reference,
   * `response.blobRef`. @default the body comes with the response, up to 8 MiB
   */
  readonly into?: 'blob' | undefined;
}

/** A body that the cluster keeps. */
export interface BlobRef {
  /** BLAKE3, 64 hex digits. */
  readonly hash: string;
  /** In bytes. */
  readonly size: number;
  /** The `Content-Type` that it came with, '' without one. */
  readonly type: string;
}

/** A blob as the body of a request: by its hash, or by its reference. */
export interface BlobBody {
  readonly blob: string | Pick<BlobRef, 'hash'>;
}

declare global {
  // Merges with the interface that the author's types have: ours, the DOM's or Node's.
  interface RequestInit extends FetchExtras {}
  interface Response {
    /** Where the body is, of a fetch with `into: 'blob'`; else null. Then it can't be read here. */
    readonly blobRef?: BlobRef | null;
  }
  /** Sends a blob as the request's body. */
  function fetch(
    input: string | URL | Request,
    init: Omit<RequestInit, 'body'> & { readonly body: BlobBody },
  ): Promise<Response>;
}
