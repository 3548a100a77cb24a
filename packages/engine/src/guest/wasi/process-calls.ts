/** WASI preview 1: arguments, environment, clocks, randomness and the program's end. */
import { ProgramEnd } from '../blocking/program-end.ts';
import { WasiError } from './errno.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { RandomStream } from './random-stream.ts';
import type { WasiCalls } from './wasi-call.ts';

/** WASI `clockid`. */
const clocks = { realtime: 0, monotonic: 1, processCpu: 2, threadCpu: 3 } as const;

const resolutionNs = 1_000_000n;

/** What the calls work on. */
export interface ProcessState {
  readonly memory: GuestMemory;
  /** The first one is the program's name. */
  readonly args: readonly string[];
  /** `NAME=value` */
  readonly environ: readonly string[];
  /** Guest time in ns. */
  readonly now: () => bigint;
  /** Guest time when the attempt started, in ns. */
  readonly startedAt: bigint;
  readonly random: RandomStream;
}

/** Thrown by `proc_exit`. */
export class ProgramExit extends ProgramEnd {
  readonly code: number;

  constructor(code: number) {
    super([]);
    this.name = 'ProgramExit';
    this.code = code;
  }
}

/**
 * What a clock shows: the activation's time, for the whole of a step; processor time passes like guest time.
 *
 * @throws {WasiError} `inval` for a clock that WASI doesn't know
 */
export const clockTime = (clock: number, { now, startedAt }: Pick<ProcessState, 'now' | 'startedAt'>): bigint => {
  switch (clock) {
    case clocks.realtime:
    case clocks.monotonic:
      return now();
    case clocks.processCpu:
    case clocks.threadCpu:
      return now() - startedAt;
    default:
      throw new WasiError('inval');
  }
};

/** The functions of the module `wasi_snapshot_preview1` about the process, without `poll_oneoff`. */
export const processCalls = (state: ProcessState): WasiCalls => {
  const { memory, args, environ, random } = state;
  return {
    args_get: (places: number, texts: number): void => writeStrings(memory, args, { places, texts }),
    args_sizes_get: (count: number, bytes: number): void => writeSizes(memory, args, { count, bytes }),
    environ_get: (places: number, texts: number): void => writeStrings(memory, environ, { places, texts }),
    environ_sizes_get: (count: number, bytes: number): void => writeSizes(memory, environ, { count, bytes }),
    clock_res_get: (clock: number, place: number): void => {
      clockTime(clock, state);
      memory.setU64(place, resolutionNs);
    },
    clock_time_get: (clock: number, _precision: bigint, place: number): void =>
      memory.setU64(place, clockTime(clock, state)),
    random_get: (place: number, length: number): void => random.fill(memory.slice(place, length)),
    proc_exit: (code: number): void => {
      throw new ProgramExit(code >>> 0);
    },
    proc_raise: notSupported,
    sched_yield: (): void => undefined,
    sock_accept: notSupported,
    sock_recv: notSupported,
    sock_send: notSupported,
    sock_shutdown: notSupported,
  };
};

const notSupported = (): void => {
  throw new WasiError('notsup');
};

const zeroEnded = (text: string): Uint8Array => Buffer.from(`${text.replaceAll('\0', '')}\0`);

const writeStrings = (
  memory: GuestMemory,
  strings: readonly string[],
  { places, texts }: { readonly places: number; readonly texts: number },
): void => {
  let at = texts >>> 0;
  for (const [index, text] of strings.map(zeroEnded).entries()) {
    memory.setU32((places >>> 0) + index * 4, at);
    memory.write(at, text);
    at += text.length;
  }
};

const writeSizes = (
  memory: GuestMemory,
  strings: readonly string[],
  places: { readonly count: number; readonly bytes: number },
): void => {
  memory.setU32(places.count, strings.length);
  memory.setU32(
    places.bytes,
    strings.reduce((sum, text) => sum + zeroEnded(text).length, 0),
  );
};
