/** Randomness as the engine needs it (I9): the seeds of attempts. */
export interface Random {
  /** `length` bytes fit for keys. */
  bytes(length: number): Uint8Array;
}
