import { randomBytes } from 'node:crypto';

/** The operating system's randomness, as the packages take it. */
export const systemRandom: { bytes(length: number): Uint8Array; unit(): number } = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  unit: () => Math.random(),
};
