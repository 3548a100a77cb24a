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
}

declare global {
  // Merges with the interface that the author's types have: ours, the DOM's or Node's.
  interface RequestInit extends FetchExtras {}
}
