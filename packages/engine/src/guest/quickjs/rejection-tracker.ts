/**
 * Hears of promises that are rejected while nothing handles them, and of those that something handles later
 * (`HostPromiseRejectionTracker` of ECMA-262, section 27.2.1.9). QuickJS calls a function for that, which quickjs-emscripten never sets: here it is put into the
 * binary's table of functions, and its number into the runtime's memory.
 *
 * 1. The number is the same in every instance of a build: an image of a memory has it, and fits any instance.
 * 2. A runtime whose script does not ask for it has no tracker: its memory is as it always was.
 */
import { functionsExport } from '../../module/own-names.ts';
import type { QuickJSBuild } from './quickjs-build.ts';

/** One call of it. The values are the runtime's own, and lent for the call. */
export interface Rejection {
  readonly promise: bigint;
  readonly reason: bigint;
  /** It was rejected before, and is handled from now on. */
  readonly isHandled: boolean;
}

/**
 * Only a WebAssembly function can stand in a table:
 *
 *     (module
 *       (import "" "rejected" (func $rejected (param i32 i64 i64 i32 i32)))
 *       (export "rejected" (func $rejected)))
 */
const module = new WebAssembly.Module(
  Uint8Array.fromHex(
    '0061736d0100000001090160057f7e7e7f7f00020d01000872656a65637465640000070c010872656a65637465640000',
  ),
);

/** See the head of this file. */
export class RejectionTracker {
  /** Who hears of it now. */
  onRejection: ((rejection: Rejection) => void) | undefined;
  readonly #offset: number;
  readonly #number: number;

  private constructor(functions: WebAssembly.Table, offset: number) {
    this.#offset = offset;
    const rejected = (_context: number, ...[promise, reason, isHandled]: readonly [bigint, bigint, number]): void =>
      this.onRejection?.({ promise, reason, isHandled: isHandled !== 0 });
    this.#number = functions.grow(1, new WebAssembly.Instance(module, { '': { rejected } }).exports['rejected']);
  }

  /** The tracker of an instance; undefined in a build that has no place for one. */
  static of({ exports }: WebAssembly.Instance, { rejectionTracker }: QuickJSBuild): RejectionTracker | undefined {
    const { [functionsExport]: functions } = exports;
    if (rejectionTracker === undefined || !(functions instanceof WebAssembly.Table)) return undefined;
    return new RejectionTracker(functions, rejectionTracker);
  }

  /** From now on `runtime`, a `JSRuntime` in the instance's memory `bytes`, tells of its rejections. */
  follow(bytes: Buffer, runtime: number): void {
    bytes.writeUInt32LE(this.#number, runtime + this.#offset);
  }
}
