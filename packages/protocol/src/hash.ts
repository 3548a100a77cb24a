import { createBLAKE3 } from 'hash-wasm';

/** Bytes of a BLAKE3 hash as we use it (https://github.com/BLAKE3-team/BLAKE3-specs, default output length). */
export const hashBytes = 32;

const hasher = await createBLAKE3();

/** BLAKE3 of the concatenation of `parts`, 32 bytes. */
export const blake3 = (...parts: readonly (Uint8Array | string)[]): Uint8Array => {
  hasher.init();
  for (const part of parts) hasher.update(part);
  return hasher.digest('binary');
};

/** BLAKE3 of bytes that come one after another. */
export interface RunningHash {
  update(bytes: Uint8Array): void;
  /** Of all bytes until now, hex. The end: nothing more is taken. */
  digest(): string;
}

/** Begins a hash of its own: {@link blake3} is for what is there as a whole. */
export const beginBlake3 = async (): Promise<RunningHash> => {
  const running = await createBLAKE3();
  running.init();
  return { update: (bytes) => void running.update(bytes), digest: () => running.digest('hex') };
};

/** Lower-case hexadecimal of `bytes`. */
export const toHex = (bytes: Uint8Array): string => bytes.toHex();

/** Whether two byte strings are equal; not in constant time, so never for secrets. */
export const bytesEqual = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
};
