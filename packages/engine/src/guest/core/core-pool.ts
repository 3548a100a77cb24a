/**
 * The instances of one `core` module in a thread: guests get an instance that is as a fresh one would be.
 *
 *   1. An instance is used again only if its module's whole state can be put back (`module/core-state.ts`), its memory
 *      didn't grow, and its last guest ended between two steps.
 *   2. Memory is put back before the next guest comes, so an idle instance may hold what the last guest left; nobody reads it.
 */
import { engineLimits } from '../../limits.ts';
import { globalExportPrefix, resettableExport } from '../../module/own-names.ts';
import { FuelMeter, type Metering } from '../fuel/metering.ts';
import { GuestFault } from '../guest.ts';
import { startFault } from '../trap-fault.ts';
import { CoreGuest, type CoreExports } from './core-guest.ts';

/** An instance's state at its beginning. */
interface CoreImage {
  readonly memory: Uint8Array;
  readonly globals: readonly (number | bigint)[];
}

interface Pooled {
  readonly exports: CoreExports;
  readonly globals: readonly WebAssembly.Global[];
  readonly meter: FuelMeter;
}

export class CorePool {
  readonly #module: WebAssembly.Module;
  readonly #metering: Metering;
  readonly #globalNames: readonly string[];
  readonly #idle: Pooled[] = [];
  #isResettable: boolean;
  #image: CoreImage | undefined;

  constructor(module: WebAssembly.Module, metering: Metering) {
    this.#module = module;
    this.#metering = metering;
    const names = WebAssembly.Module.exports(module).map(({ name }) => name);
    this.#isResettable = names.includes(resettableExport);
    this.#globalNames = names.filter((name) => name.startsWith(globalExportPrefix));
  }

  /** Instances that wait for their next guest. */
  get idleInstances(): number {
    return this.#idle.length;
  }

  /** A guest at its beginning. @throws {GuestFault} `MODULE_LOAD_FAILED` when the module's start function traps */
  open(): CoreGuest {
    const pooled = this.#idle.pop();
    if (pooled) this.#reset(pooled);
    const instance = pooled ?? this.#start();
    return new CoreGuest(instance, () => this.#keep(instance));
  }

  #start(): Pooled {
    const meter = new FuelMeter(this.#metering);
    const exports = tryStart(this.#module, meter);
    const named: unknown = exports;
    if (!isCoreExports(named))
      throw new GuestFault({
        code: 'MODULE_INVALID',
        message: 'the module must export memory, mvm_alloc and mvm_step',
      });
    const globals = this.#globalNames.flatMap((name) => {
      const global: unknown = exports[name];
      return global instanceof WebAssembly.Global ? [global] : [];
    });
    const instance = { exports: named, globals, meter };
    if (this.#isResettable) this.#capture(instance);
    return instance;
  }

  #capture({ exports: { memory }, globals }: Pooled): void {
    if (this.#image) return;
    const values = globals.map(({ value }) => value);
    // A NaN comes back as another one; a large memory takes longer to put back than an instance to be made.
    this.#isResettable =
      memory.buffer.byteLength <= engineLimits.pooledCoreBytesMax && !values.some((value) => Number.isNaN(value));
    if (this.#isResettable) this.#image = { memory: new Uint8Array(memory.buffer.slice(0)), globals: values };
  }

  #reset({ exports: { memory }, globals, meter }: Pooled): void {
    if (!this.#image) return;
    meter.refill();
    new Uint8Array(memory.buffer).set(this.#image.memory);
    for (const [index, value] of this.#image.globals.entries()) {
      const global = globals[index];
      if (global) global.value = value;
    }
  }

  #keep(instance: Pooled): void {
    if (!this.#image || instance.exports.memory.buffer.byteLength !== this.#image.memory.length) return;
    const most = Math.min(
      engineLimits.idleCoreInstancesMax,
      Math.ceil(engineLimits.idleCoreBytesMax / this.#image.memory.length),
    );
    if (this.#idle.length < most) this.#idle.push(instance);
  }
}

const tryStart = (module: WebAssembly.Module, meter: FuelMeter): WebAssembly.Exports => {
  try {
    const { exports } = new WebAssembly.Instance(module, {});
    meter.attach(exports);
    return exports;
  } catch (error) {
    throw startFault(error);
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
