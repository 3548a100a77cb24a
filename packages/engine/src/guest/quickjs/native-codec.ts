/**
 * What a script has done by the host, since an interpreter takes a thousand times as long: text to UTF-8 and back, bytes to base64 and
 * back, hashes. Each is a function of its argument alone, so a replay gets the same; what it takes is charged by the byte.
 *
 * `hardening.ts` is the only caller: it gives each function the type of argument that it takes. Text crosses as C strings, so
 * it must be well-formed and without U+0000 (whoever calls looks for that). In text that stands for bytes, U+0100 is the byte 0.
 */
import { isUtf8 } from 'node:buffer';
import { createHash, createHmac } from 'node:crypto';
import type { NativeExports } from './quickjs-exports.ts';
import type { QuickJSInstance } from './quickjs-instance.ts';

/** The functions, by the numbers that the runtime knows them by. */
export const codecFunctions = {
  encode: 1,
  decode: 2,
  toBase64: 3,
  fromBase64: 4,
  btoa: 5,
  atob: 6,
  digest: 7,
  hmac: 8,
} as const;

/** Names of the Web Cryptography API, section 18.4.1, and those of Node. */
const hashes: ReadonlyMap<string, string> = new Map([
  ['SHA-1', 'sha1'],
  ['SHA-256', 'sha256'],
  ['SHA-384', 'sha384'],
  ['SHA-512', 'sha512'],
]);

/** A call of one of them. */
export interface CodecCall {
  readonly context: number;
  /** Place of the arguments. */
  readonly list: number;
  readonly id: number;
}

/**
 * Does it.
 *
 * @returns the place of the result, which is the caller's; 0 for `undefined`: the bytes to decode are no UTF-8, or no hash has this name
 */
export const codec = (instance: QuickJSInstance, { context, list, id }: CodecCall): number => {
  const { native } = instance;
  if (!native) throw new WebAssembly.RuntimeError('this build has no functions of the host');
  const desk = new Desk(instance, native, context);
  const argument = native.argument(list, 0);
  switch (id) {
    case codecFunctions.encode:
      return desk.buffer(Buffer.from(desk.text(argument)));
    case codecFunctions.decode: {
      const bytes = desk.bytes(argument);
      return isUtf8(bytes) ? desk.string(bytes.toString('utf8')) : 0;
    }
    case codecFunctions.toBase64:
      return desk.string(desk.bytes(argument).toString('base64'));
    case codecFunctions.fromBase64:
      return desk.buffer(Buffer.from(desk.text(argument), 'base64'));
    case codecFunctions.btoa:
      // The byte 0 is the lower half of U+0100.
      return desk.string(Buffer.from(desk.text(argument), 'latin1').toString('base64'));
    case codecFunctions.atob:
      return desk.string(Buffer.from(desk.text(argument), 'base64').toString('latin1').replaceAll('\0', '\u0100'));
    case codecFunctions.digest: {
      const hash = hashes.get(desk.text(argument));
      if (hash === undefined) return 0;
      return desk.buffer(
        createHash(hash)
          .update(desk.bytes(native.argument(list, 1)))
          .digest(),
      );
    }
    case codecFunctions.hmac: {
      const hash = hashes.get(desk.text(argument));
      if (hash === undefined) return 0;
      const keyed = createHmac(hash, desk.bytes(native.argument(list, 1)));
      return desk.buffer(keyed.update(desk.bytes(native.argument(list, 2))).digest());
    }
    default:
      throw new WebAssembly.RuntimeError(`the host has no function ${id}`);
  }
};

/** Takes values of one context in and out. */
class Desk {
  readonly #instance: QuickJSInstance;
  readonly #native: NativeExports;
  readonly #context: number;

  constructor(instance: QuickJSInstance, native: NativeExports, context: number) {
    this.#instance = instance;
    this.#native = native;
    this.#context = context;
  }

  text(value: number): string {
    const { exports, meter } = this.#instance;
    const place = exports.getString(this.#context, value);
    if (place === 0) throw new WebAssembly.RuntimeError('the argument of a function of the host has no text');
    const { bytes } = this.#instance;
    const text = bytes.toString('utf8', place, bytes.indexOf(0, place));
    exports.freeCString(this.#context, place);
    meter.charge(text.length);
    return text;
  }

  /** Not copied: whoever takes them calls nothing before they are used. */
  bytes(value: number): Buffer {
    const length = this.#native.bufferLength(this.#context, value);
    const place = this.#native.bufferPlace(this.#context, value);
    this.#instance.meter.charge(length);
    return this.#instance.bytes.subarray(place, place + length);
  }

  string(text: string): number {
    const { place } = this.#instance.writeText(text);
    const value = this.#instance.exports.newString(this.#context, place);
    this.#instance.exports.free(place);
    return value;
  }

  buffer(bytes: Uint8Array): number {
    return this.#native.newBuffer(this.#context, this.#instance.writeBytes(bytes), bytes.length);
  }
}
