/** A `core` guest: a WebAssembly module without imports that speaks the binary encoding of step-machine.md. */
import type { Intent } from '@mvm-ci/protocol';
import { engineLimits } from '../../limits.ts';
import type { Activation } from '../../run/activation.ts';
import { GuestFault, type Guest } from '../guest.ts';
import { checkIntents } from '../intent-rules.ts';
import { readIntents, writeActivation } from './activation-wire.ts';
import { WireWriter } from './wire-writer.ts';

interface CoreExports {
  readonly memory: WebAssembly.Memory;
  readonly mvm_alloc: (length: number) => number;
  /** `ptr << 32 | len` */
  readonly mvm_step: (place: number, length: number) => bigint;
}

export class CoreGuest implements Guest {
  readonly #exports: CoreExports;

  /** @throws {GuestFault} `MODULE_LOAD_FAILED` when the module's start function traps */
  constructor(module: WebAssembly.Module) {
    this.#exports = instantiate(module);
  }

  step(activation: Activation): readonly Intent[] {
    const writer = new WireWriter();
    writeActivation(writer, activation);
    const intents = readIntents(this.#copyOut(trapped(() => this.#call(writer.written))));
    checkIntents(intents);
    return intents;
  }

  close(): void {
    // The instance is garbage as soon as nobody holds this guest.
  }

  #call(activation: Uint8Array): bigint {
    const { memory, mvm_alloc: allocate, mvm_step: step } = this.#exports;
    const place = allocate(activation.length) >>> 0;
    const end = place + activation.length;
    if (end > memory.buffer.byteLength) throw outside('mvm_alloc', place, activation.length);
    new Uint8Array(memory.buffer).set(activation, place);
    return step(place, activation.length);
  }

  #copyOut(packed: bigint): Uint8Array {
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
    return new Uint8Array(memory.buffer.slice(place, place + length));
  }
}

const instantiate = (module: WebAssembly.Module): CoreExports => {
  const { exports } = tryStart(module);
  const named: unknown = exports;
  if (isCoreExports(named)) return named;
  throw new GuestFault({
    code: 'MODULE_INVALID',
    message: 'the module must export memory, mvm_alloc and mvm_step',
  });
};

const tryStart = (module: WebAssembly.Module): WebAssembly.Instance => {
  try {
    return new WebAssembly.Instance(module, {});
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GuestFault({ code: 'MODULE_LOAD_FAILED', message: `the module could not be started: ${reason}` });
  }
};

const isCoreExports = (exports: unknown): exports is CoreExports =>
  typeof exports === 'object' &&
  exports !== null &&
  'memory' in exports &&
  exports.memory instanceof WebAssembly.Memory &&
  'mvm_alloc' in exports &&
  typeof exports.mvm_alloc === 'function' &&
  'mvm_step' in exports &&
  typeof exports.mvm_step === 'function';

const trapped = <T>(body: () => T): T => {
  try {
    return body();
  } catch (error) {
    if (error instanceof GuestFault) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new GuestFault({ code: 'GUEST_TRAPPED', message: `the guest's code trapped: ${reason}` });
  }
};

const outside = (name: string, place: number, length: number): GuestFault =>
  new GuestFault({
    code: 'GUEST_PROTOCOL',
    message: `${name} named ${length} bytes at ${place}, outside of the guest's memory`,
  });
