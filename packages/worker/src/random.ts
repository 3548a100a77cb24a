/** Randomness as a worker needs it (I9). */
export interface Random {
  /** A number from 0 up to, not including, 1: jitter. */
  fraction(): number;
  /** A random UUID: the name of this incarnation of the process. */
  uuid(): string;
}
