import { meter } from '../../module/metering.ts';
import { ModuleEdit } from '../../module/module-edit.ts';
import { FuelMeter, Metering } from './metering.ts';

/**
 * An instance of a module without imports as the engine runs it: its fuel is counted, and the host is called at the end of each slice. No
 * limit ends it. It is for measuring what that costs.
 *
 * @param wasm - a module that V8 accepts.
 * @param monotonicMs - monotonic host time in ms.
 */
export const meteredInstance = (wasm: Uint8Array, monotonicMs: () => number): WebAssembly.Exports => {
  const edit = new ModuleEdit(wasm);
  meter(edit);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(edit.encode()), {});
  const limits = { fuelMax: Number.MAX_SAFE_INTEGER, stepMsMax: Number.POSITIVE_INFINITY };
  new FuelMeter(new Metering({ limits, monotonicMs, isCancelled: () => false })).attach(exports);
  return exports;
};
