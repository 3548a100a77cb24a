/** Randomness as a port (I9). */
export interface Random {
  /** `length` bytes fit for keys, tokens and seeds. */
  bytes(length: number): Uint8Array;
  /** A number from 0 up to, not including, 1; for jitter only. */
  unit(): number;
}
