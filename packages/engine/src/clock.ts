/** A timer that was started; `cancel` is idempotent and legal after it fired. */
export interface Timer {
  cancel(): void;
}

/** Time as the engine needs it (I9); the clocks of net and control are such clocks. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. What guests are told, made monotonic by the journal. */
  wallMs(): number;
  /** Milliseconds that never go back. For deadlines. */
  monotonicMs(): number;
  /** Calls `callback` once, after at least `delayMs` (or 2^31 - 1, whichever is less). */
  after(delayMs: number, callback: () => void): Timer;
}
