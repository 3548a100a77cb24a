/**
 * One instance of the script runtime: the WebAssembly instance, its memory, and the few C calls that a step needs. It
 * knows nothing of workflows. Pointers are plain numbers; whoever restores an older memory (`memory-image.ts`) makes
 * every pointer that was handed out since then void.
 */
import { buildOf } from './quickjs-build.ts';
import { FuelMeter, type Metering } from '../fuel/metering.ts';
import { codec } from './native-codec.ts';
import { nativeExports, quickjsExports, type NativeExports, type QuickJSExports } from './quickjs-exports.ts';
import { quickjsImports, type ImportHost } from './quickjs-imports.ts';
import { RejectionTracker } from './rejection-tracker.ts';

/** A thing that the script threw. */
export interface Thrown {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

export interface QuickJSInstanceOptions {
  readonly module: WebAssembly.Module;
  readonly memoryBytesMax: number;
  readonly metering: Metering;
}

/** Pages that the binary asks for at its start. */
const initialPages = 256;
const pageBytes = 65_536;

export class QuickJSInstance implements ImportHost {
  readonly memory: WebAssembly.Memory;
  readonly exports: QuickJSExports;
  /** What takes bytes across; undefined in a build that can't. */
  readonly native: NativeExports | undefined;
  /** The guest's time, Unix ms: what all its clocks show. */
  nowMs = 0;
  /** Counts what it does, the host's calls into it too. */
  readonly meter: FuelMeter;
  /** Undefined in a build that can't tell of rejections. */
  readonly tracker: RejectionTracker | undefined;
  #bytes: Buffer;
  #outOfMemory = false;

  constructor({ module, memoryBytesMax, metering }: QuickJSInstanceOptions) {
    this.memory = new WebAssembly.Memory({ initial: initialPages, maximum: memoryBytesMax / pageBytes });
    this.#bytes = Buffer.from(this.memory.buffer);
    this.meter = new FuelMeter(metering);
    const build = buildOf(module);
    const instance = new WebAssembly.Instance(module, quickjsImports(this, build));
    this.meter.attach(instance.exports);
    this.exports = quickjsExports(instance, build);
    this.native = nativeExports(instance, build);
    this.tracker = RejectionTracker.of(instance, build);
    this.exports.construct();
  }

  /** The memory's bytes, as they are now: don't keep them over a call into the instance, which may grow it. */
  get bytes(): Buffer {
    if (this.#bytes.buffer !== this.memory.buffer) this.#bytes = Buffer.from(this.memory.buffer);
    return this.#bytes;
  }

  /** Whether it was refused memory since {@link beginStep}. */
  get outOfMemory(): boolean {
    return this.#outOfMemory;
  }

  /** Whether it is larger than at its start: a memory never shrinks, so it is not used again. */
  get hasGrown(): boolean {
    return this.memory.buffer.byteLength > initialPages * pageBytes;
  }

  /** Makes the memory larger, to `bytes`. @throws {RangeError} beyond the guest's limit */
  growTo(bytes: number): void {
    const missing = bytes - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / pageBytes));
  }

  /** From now on it has a step's time. */
  beginStep(): void {
    this.meter.beginStep();
    this.#outOfMemory = false;
  }

  callFunction(context: number, list: number, id: number): number {
    return codec(this, { context, list, id });
  }

  refusedGrowth(): void {
    this.#outOfMemory = true;
  }

  /** Copies `text` into the instance, zero-terminated. @returns its place, to be freed, and its bytes without the zero */
  writeText(text: string): { readonly place: number; readonly length: number } {
    const length = Buffer.byteLength(text);
    const place = this.#allocate(length + 1);
    this.bytes.write(text, place);
    this.bytes[place + length] = 0;
    return { place, length };
  }

  /** Copies bytes into the instance. @returns their place, to be freed */
  writeBytes(bytes: Uint8Array): number {
    const place = this.#allocate(Math.max(bytes.length, 1));
    this.bytes.set(bytes, place);
    return place;
  }

  #allocate(bytes: number): number {
    const place = this.exports.malloc(bytes);
    if (place !== 0) return place;
    this.#outOfMemory = true;
    throw new WebAssembly.RuntimeError('no memory is left for the host');
  }

  /** The zero-terminated text at `place`, or its length alone when that is over `bytesMax`. */
  readText(place: number, bytesMax: number): string | number {
    const { bytes } = this;
    const end = bytes.indexOf(0, place);
    return end - place > bytesMax ? end - place : bytes.toString('utf8', place, end);
  }
}
