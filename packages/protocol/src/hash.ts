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

/** Lower-case hexadecimal of `bytes`. */
export const toHex = (bytes: Uint8Array): string => bytes.toHex();

/** Whether two byte strings are equal; not in constant time, so never for secrets. */
export const bytesEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);
