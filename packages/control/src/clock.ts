/** A timer that was started; `cancel` is idempotent and legal after it fired. */
export interface Timer {
  cancel(): void;
}

/** Time as a port (I9). The real one is `system-clock.ts`. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. */
  wallMs(): number;
  /** Milliseconds that never go back, from an arbitrary start. */
  monotonicMs(): number;
  /** Calls `callback` once, after at least `delayMs`. */
  after(delayMs: number, callback: () => void): Timer;
}
