/** Randomness as a worker needs it (I9). */
export interface Random {
  /** `length` bytes: the name of this incarnation of the process. */
  bytes(length: number): Uint8Array;
  /** A number from 0 up to, not including, 1: jitter. */
  unit(): number;
}
