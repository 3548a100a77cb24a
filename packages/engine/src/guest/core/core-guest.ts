/** A `core` guest: a WebAssembly module without imports that speaks the binary encoding of step-machine.md. */
import type { Intent } from '@mvm-ci/protocol';
import { engineLimits } from '../../limits.ts';
import type { Activation } from '../../run/activation.ts';
import type { FuelMeter } from '../fuel/metering.ts';
import { GuestFault, type Guest } from '../guest.ts';
import { checkIntents } from '../intent-rules.ts';
import { trapFault } from '../trap-fault.ts';
import { writeActivation } from './activation-wire.ts';
import { readIntents } from './intent-wire.ts';
import { WireWriter } from './wire-writer.ts';

/** What a `core` module exports. */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  readonly mvm_alloc: (length: number) => number;
  /** `ptr << 32 | len` */
  readonly mvm_step: (place: number, length: number) => bigint;
}

/** What is written is handed to a guest before anything else is: one writer serves all. */
const writer = new WireWriter();

export class CoreGuest implements Guest {
  readonly #exports: CoreExports;
  readonly #meter: FuelMeter;
  readonly #release: () => void;
  #healthy = true;

  /** `release` is called when the guest is closed, unless its instance can't be used again. */
  constructor({ exports, meter }: { exports: CoreExports; meter: FuelMeter }, release: () => void) {
    this.#exports = exports;
    this.#meter = meter;
    this.#release = release;
  }

  step(activation: Activation): readonly Intent[] {
    writer.clear();
    writeActivation(writer, activation);
    return this.read(this.stepBytes(writer.written));
  }

  /** The same in the guest's own encoding. @returns bytes in its memory: valid until it runs again, not yet checked */
  stepBytes(activation: Uint8Array): Uint8Array {
    // Whatever fails, the instance may be in the middle of something: it isn't pooled again.
    this.#healthy = false;
    this.#meter.beginStep();
    const intents = this.#result(trapped(() => this.#call(activation)));
    this.#healthy = true;
    return intents;
  }

  /** What {@link CoreGuest.stepBytes} returned, checked. @throws {GuestFault} */
  read(bytes: Uint8Array): readonly Intent[] {
    this.#healthy = false;
    const intents = readIntents(bytes);
    checkIntents(intents);
    this.#healthy = true;
    return intents;
  }

  close(): void {
    if (!this.#healthy) return;
    this.#healthy = false;
    this.#release();
  }

  #call(activation: Uint8Array): bigint {
    const { memory, mvm_alloc: allocate, mvm_step: step } = this.#exports;
    const place = allocate(activation.length) >>> 0;
    const end = place + activation.length;
    if (end > memory.buffer.byteLength) throw outside('mvm_alloc', place, activation.length);
    new Uint8Array(memory.buffer).set(activation, place);
    return step(place, activation.length);
  }

  /** The intents' bytes, in the guest's memory: valid until it runs again. */
  #result(packed: bigint): Uint8Array {
    const { memory } = this.#exports;
    const place = Number((packed >> 32n) & 0xffff_ffffn);
    const length = Number(packed & 0xffff_ffffn);
    if (place + length > memory.buffer.byteLength) throw outside('mvm_step', place, length);
    const limit = 2 * engineLimits.intentsBytesMax;
    if (length > limit)
      throw new GuestFault({
        code: 'LIMIT_EXCEEDED',
        message: `one step may ask for ${limit} bytes of intents, this one asked for ${length}`,
        details: { limit, received: length },
      });
    return new Uint8Array(memory.buffer, place, length);
  }
}

const trapped = <T>(body: () => T): T => {
  try {
    return body();
  } catch (error) {
    throw error instanceof GuestFault ? error : trapFault(error);
  }
};

const outside = (name: string, place: number, length: number): GuestFault =>
  new GuestFault({
    code: 'GUEST_PROTOCOL',
    message: `${name} named ${length} bytes at ${place}, outside of the guest's memory`,
  });
