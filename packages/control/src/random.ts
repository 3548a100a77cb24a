/** Randomness as a port (I9). The real one is `system-random.ts`. */
export interface Random {
  /** `length` bytes fit for keys and tokens. */
  bytes(length: number): Uint8Array;
  /** A number from 0 up to, not including, 1; for jitter only. */
  unit(): number;
}

/** A version 4 UUID (RFC 9562 section 5.4). */
export const uuid = (random: Random): string => {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};
