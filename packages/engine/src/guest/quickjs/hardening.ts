/**
 * Runs in every script guest before the author's bundle. The host's clocks and time zone are bound below, at the imports;
 * what remains is done here:
 *
 *   1. `Math.random` is a seeded stream (sfc32): the runtime's own state is the same in every job.
 *   2. What depends on when garbage is collected, or is shared memory, does not exist.
 *   3. Three functions stay with the host alone: `seed(hex)`, called at the start of an attempt, `describe(thrown)`,
 *      which turns whatever was thrown into JSON text without letting it throw again, and `adopt(…)`, which makes `mvm_codec` of the
 *      host's own functions (`native-codec.ts`), so that each gets an argument that it can take.
 */
export const hardening: string = `(() => {
  'use strict';
  for (const name of ['WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics']) delete globalThis[name];
  const { stringify } = JSON;
  const { parseInt, String, Error } = globalThis;
  const { apply } = Reflect;
  const { freeze, defineProperty, getOwnPropertyDescriptor } = Object;
  const { ArrayBuffer } = globalThis;
  const wellFormed = String.prototype.toWellFormed;
  const lengthOf = getOwnPropertyDescriptor(ArrayBuffer.prototype, 'byteLength').get;
  let a = 0, b = 0, c = 0, d = 1;
  const next = () => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t | 0;
    return t >>> 0;
  };
  const random = () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  defineProperty(Math, 'random', { value: random, writable: true, enumerable: false, configurable: true });
  const textOf = (value) => {
    try { return typeof value === 'string' ? value : String(value); } catch { return typeof value; }
  };
  const part = (thrown, name) => {
    try { return textOf(thrown[name] ?? ''); } catch { return ''; }
  };
  return {
    seed(hex) {
      const word = (at) => parseInt(hex.slice(at, at + 8), 16) | 0;
      a = word(0); b = word(8); c = word(16); d = word(24);
      for (let round = 0; round < 16; round++) next();
    },
    describe(thrown) {
      const isError = thrown instanceof Error;
      return stringify({
        name: isError ? part(thrown, 'name') : '',
        message: isError ? part(thrown, 'message') : 'thrown: ' + textOf(thrown),
        stack: isError ? part(thrown, 'stack') : '',
      });
    },
    adopt(encode, decode, toBase64, fromBase64, btoa, atob, digest, hmac) {
      const empty = new ArrayBuffer(0);
      // One that has no bytes may be one that was given away.
      const usable = (buffer) => (apply(lengthOf, buffer, []) === 0 ? empty : buffer);
      const text = (value) => apply(wellFormed, value, []);
      const codec = freeze({
        encode: (value) => encode(text(value)),
        decode: (buffer) => decode(usable(buffer)),
        toBase64: (buffer) => toBase64(usable(buffer)),
        fromBase64: (value) => fromBase64(text(value)),
        btoa: (value) => btoa(text(value)),
        atob: (value) => atob(text(value)),
        digest: (name, buffer) => digest(text(name), usable(buffer)),
        hmac: (name, key, buffer) => hmac(text(name), usable(key), usable(buffer)),
      });
      defineProperty(globalThis, 'mvm_codec', { value: codec });
    },
  };
})()`;
