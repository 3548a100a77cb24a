/** A timer that was started; `cancel` is idempotent and legal after it fired. */
export interface Timer {
  cancel(): void;
}

/** Time as a port (I9): the tests' clock stands still, the real one is {@link file://./system-clock.ts}. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. For what is compared with a date, such as a ticket's expiry. */
  wallMs(): number;
  /** Milliseconds that never go back. For durations. */
  monotonicMs(): number;
  /** Calls `callback` once, after at least `delayMs`. A pending timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
  /** Resolves after everything that is already due has run: one turn of the event loop. */
  nextTurn(): Promise<void>;
}
