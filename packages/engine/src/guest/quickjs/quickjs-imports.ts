/**
 * Everything that the script runtime can reach outside its memory: this list and nothing else. No import leads to a real
 * clock, a real random number, the environment or a file (design section 7, "Determinism"):
 *
 *   1. Every clock shows the activation's time; the time zone is UTC.
 *   2. Memory grows by what was asked for, up to the guest's limit, the same on every machine.
 *   3. The functions of the host that a script may call compute something from their arguments alone (`native-codec.ts`).
 *   4. The runtime's own interrupt handler is not used: fuel stops a script, and its native functions too (`fuel/metering.ts`).
 */
import type { HostName, QuickJSBuild } from './quickjs-build.ts';

/** What the imports ask the instance. */
export interface ImportHost {
  readonly memory: WebAssembly.Memory;
  /** The guest's time, Unix ms. */
  readonly nowMs: number;
  /** The script called a function of the host: number `id`, with arguments at `list`. @returns the place of its result */
  callFunction(context: number, list: number, id: number): number;
  /** Memory was refused: the guest is out of it. */
  refusedGrowth(): void;
}

const pageBytes = 65_536;
// WASI error numbers (wasi_snapshot_preview1): bad descriptor, no such call, illegal seek.
const errnoBadf = 8;
const errnoNosys = 52;
const errnoSpipe = 70;
const utcName = Buffer.from('UTC\0');

/** The imports object for one instance of `build`: of the functions below, those that it calls. */
export const quickjsImports = (host: ImportHost, { imports }: QuickJSBuild): WebAssembly.Imports => {
  const calls = hostCalls(host);
  const named = Object.entries(calls).flatMap(([name, call]) => {
    const letter = new Map(Object.entries(imports)).get(name);
    return letter === undefined ? [] : [[letter, call] as const];
  });
  return { a: { a: host.memory, ...Object.fromEntries(named) } };
};

const hostCalls = (host: ImportHost): Readonly<Record<HostName, (...args: never[]) => unknown>> => ({
  // None of the first three is ever legal here.
  assertFail: () => fail('an assertion of the runtime failed'),
  abort: () => fail('the runtime aborted'),
  exit: () => fail('the runtime exited'),
  // Between them: `this`, and how many arguments there are.
  hostFunction: (context: number, ...[, , list = 0, id = 0]: readonly number[]) => host.callFunction(context, list, id),
  fdWrite: () => errnoBadf,
  fdClose: () => errnoNosys,
  fdSeek: () => errnoSpipe,
  // An empty environment.
  environGet: () => 0,
  environSizesGet: (count: number, size: number) => {
    const view = new DataView(host.memory.buffer);
    view.setUint32(count, 0, true);
    view.setUint32(size, 0, true);
    return 0;
  },
  // There are no modules to import.
  normalizeModule: () => 0,
  loadModule: () => 0,
  // Nothing to do.
  interrupt: () => 0,
  setTimer: () => 0,
  keepAlive: () => undefined,
  freeHostRef: () => undefined,
  growMemory: (bytes: number) => growTo(host, bytes >>> 0),
  localTime: (seconds: bigint, place: number) => writeUtc(host.memory, Number(seconds) * 1_000, place),
  localTime32: (low: number, high: number, place: number) =>
    writeUtc(host.memory, ((low >>> 0) + high * 2 ** 32) * 1_000, place),
  timeZone: (offset: number, summerTime: number, ...names: readonly number[]) => {
    const view = new DataView(host.memory.buffer);
    view.setInt32(offset, 0, true);
    view.setInt32(summerTime, 0, true);
    for (const place of names) new Uint8Array(host.memory.buffer).set(utcName, place);
  },
  dateNow: () => host.nowMs,
  monotonicNow: () => host.nowMs,
  isMonotonic: () => 1,
  clockTime: (_clock: number, _precision: bigint, place: number) => {
    new DataView(host.memory.buffer).setBigInt64(place, BigInt(host.nowMs) * 1_000_000n, true);
    return 0;
  },
});

const fail = (why: string): never => {
  throw new WebAssembly.RuntimeError(why);
};

const growTo = (host: ImportHost, bytes: number): number => {
  const missing = bytes - host.memory.buffer.byteLength;
  if (missing <= 0) return 1;
  try {
    host.memory.grow(Math.ceil(missing / pageBytes));
    return 1;
  } catch {
    host.refusedGrowth();
    return 0;
  }
};

/** `struct tm` of musl, in UTC. */
const writeUtc = (memory: WebAssembly.Memory, ms: number, place: number): void => {
  const date = new Date(ms);
  const yearStart = Date.UTC(date.getUTCFullYear(), 0, 1);
  const fields = [
    date.getUTCSeconds(),
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth(),
    date.getUTCFullYear() - 1_900,
    date.getUTCDay(),
    Math.floor((ms - yearStart) / 86_400_000),
    0,
    0,
  ];
  const view = new DataView(memory.buffer);
  for (const [index, field] of fields.entries()) view.setInt32(place + 4 * index, field, true);
};
