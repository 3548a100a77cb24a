/**
 * A host function that waits only where it must. V8 suspends the stack at each call of a `WebAssembly.Suspending`, also when that
 * returns no promise, and lets it go on in a microtask: then another guest may be on stage, and another meter in use. So the guest imports a
 * function of WebAssembly, which calls a plain function first, and one that suspends only for what isn't here yet:
 *
 *     (module
 *       (import "" "begin" (func $begin (param …i32) (result i32)))
 *       (import "" "end" (func $end (result i32)))
 *       (import "" "waits" (global $waits (mut i32)))
 *       (func (export "call") (param …i32) (result i32)
 *         (local.set $answer (call $begin …))
 *         (if (result i32) (global.get $waits)
 *           (then (global.set $waits (i32.const 0)) (call $end))
 *           (else (local.get $answer)))))
 */
import { externKinds, sectionIds } from '../../module/wasm-sections.ts';
import { leb, nameBytes } from '../../module/wasm-writer.ts';

/** The host's side of a call: numbers go in, one comes back. */
type HostCall = (...parameters: never[]) => number | Promise<number>;

/** @returns the import of a guest that calls `body` with so many parameters, all `i32`, and suspends it for a promise */
export const suspendingCall = (parameters: number, body: HostCall): unknown => {
  const waits = new WebAssembly.Global({ value: 'i32', mutable: true }, 0);
  let pending: number | Promise<number> = 0;
  const begin = (...values: never[]): number => {
    const answer = body(...values);
    if (!(answer instanceof Promise)) return answer;
    pending = answer;
    waits.value = 1;
    return 0;
  };
  const end = new WebAssembly.Suspending(() => pending);
  return new WebAssembly.Instance(moduleFor(parameters), { '': { begin, end, waits } }).exports['call'];
};

const modules = new Map<number, WebAssembly.Module>();

const moduleFor = (parameters: number): WebAssembly.Module => {
  const module = modules.get(parameters) ?? new WebAssembly.Module(bytesFor(parameters));
  modules.set(parameters, module);
  return module;
};

const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const i32 = 0x7f;
const codes = {
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  call: 0x10,
  localGet: 0x20,
  localSet: 0x21,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
} as const;

const bytesFor = (parameters: number): Uint8Array => {
  const all = Array.from({ length: parameters }, (_, index) => index);
  const answer = parameters;
  const { localGet, localSet, globalGet, globalSet, i32Const, call } = codes;
  const ask = [...all.flatMap((index) => [localGet, index]), call, 0, localSet, answer];
  const wait = [i32Const, 0, globalSet, 0, call, 1];
  const choose = [globalGet, 0, codes.if, i32, ...wait, codes.else, localGet, answer, codes.end];
  const code = [1, 1, i32, ...ask, ...choose, codes.end];
  const imported = (name: string, what: readonly number[]): readonly number[] => [0, ...nameBytes(name), ...what];
  const begin = imported('begin', [externKinds.function, 0]);
  const end = imported('end', [externKinds.function, 1]);
  const waits = imported('waits', [externKinds.global, i32, 1]);
  return Uint8Array.from([
    ...magic,
    ...section(sectionIds.type, [2, 0x60, parameters, ...all.map(() => i32), 1, i32, 0x60, 0, 1, i32]),
    ...section(sectionIds.import, [3, ...begin, ...end, ...waits]),
    ...section(sectionIds.function, [1, 0]),
    ...section(sectionIds.export, [1, ...nameBytes('call'), externKinds.function, 2]),
    ...section(sectionIds.code, [1, ...leb(code.length), ...code]),
  ]);
};

const section = (id: number, body: readonly number[]): readonly number[] => [id, ...leb(body.length), ...body];
