/**
 * A `wasi` guest: a program for WASI preview 1. Its input is its standard input, its standard output is its result, its
 * standard error its log; it sees the activation's time, the attempt's randomness and files of its own, and nothing of
 * the host (docs/reference/guests.md).
 */
import type { Intent } from '@mvm-ci/protocol';
import { Coroutine, nobodysStart, type GuestHost, type Program, type StartEvent } from '../blocking/coroutine.ts';
import { ProgramEnd } from '../blocking/program-end.ts';
import { suspendingCall } from '../blocking/suspending-call.ts';
import { engineLimits } from '../../limits.ts';
import { GuestFault } from '../guest.ts';
import { startFault } from '../trap-fault.ts';
import { DescriptorTable, type Stream } from './descriptor-table.ts';
import { fileCalls } from './file-calls.ts';
import { FileTree } from './file-tree.ts';
import { GuestMemory } from './guest-memory.ts';
import { mvmCalls } from './mvm-calls.ts';
import { LogLines, ResultText } from './output.ts';
import { pathCalls } from './path-calls.ts';
import { pollOneoff } from './poll.ts';
import { processCalls, ProgramExit } from './process-calls.ts';
import { RandomStream } from './random-stream.ts';
import { rights } from './stat.ts';
import { answeringErrno } from './wasi-call.ts';

const nsPerMs = 1_000_000n;
const { shownCharsMax } = engineLimits;

/** What a guest is made of. */
export interface WasiCode {
  readonly module: WebAssembly.Module;
  /** Whether an input that is a JSON string is given to the program as its text; any other input is JSON in any case. */
  readonly isText: boolean;
}

/** A guest of `code`; nothing runs before its first step. */
export const openWasiGuest = (code: WasiCode, host: GuestHost): Coroutine => new Coroutine(new WasiProgram(code), host);

class WasiProgram implements Program {
  readonly #code: WasiCode;
  readonly #result = new ResultText();

  constructor(code: WasiCode) {
    this.#code = code;
  }

  async run(start: StartEvent, calls: Coroutine): Promise<readonly Intent[]> {
    const log = new LogLines((text) => calls.note({ type: 'log', level: 'info', text }));
    const code = await this.#exitCode(start, calls, log);
    log.end();
    return [code === 0 ? { type: 'complete', result: this.#result.json } : exitedWith(code, log.last)];
  }

  load(calls: Coroutine): readonly string[] {
    try {
      this.#instantiate(nobodysStart, calls, new LogLines(() => undefined));
    } catch (error) {
      // A program may end in its start function: then there is no more to load.
      if (!(error instanceof ProgramEnd)) throw error;
    }
    return [];
  }

  async #exitCode(start: StartEvent, calls: Coroutine, log: LogLines): Promise<number> {
    try {
      await this.#instantiate(start, calls, log)();
      return 0;
    } catch (error) {
      if (error instanceof ProgramExit) return error.code;
      // What the program said last, in its own way, belongs to its log also when it ends by `mvm.submit`.
      if (error instanceof ProgramEnd) log.end();
      throw error;
    }
  }

  #instantiate(start: StartEvent, calls: Coroutine, log: LogLines): () => Promise<unknown> {
    const memory = new GuestMemory((bytes) => calls.work(bytes));
    const input = inputOf(start.input, this.#code.isText);
    const parts = { start, input, calls, log, memory, result: this.#result };
    const imports = hostFunctions(parts);
    const exports = calls.undivided(() => instantiate(this.#code.module, imports, { calls, memory }));
    const { memory: linear, _start: main } = exports;
    if (!(linear instanceof WebAssembly.Memory) || typeof main !== 'function')
      throw new GuestFault({ code: 'MODULE_INVALID', message: 'a wasi module must export memory and _start' });
    return WebAssembly.promising(main);
  }
}

const inputOf = (json: string, isText: boolean): string => {
  const value: unknown = isText ? JSON.parse(json) : undefined;
  return typeof value === 'string' ? value : json;
};

interface HostParts {
  readonly start: StartEvent;
  readonly input: string;
  readonly calls: Coroutine;
  readonly log: LogLines;
  readonly result: ResultText;
  readonly memory: GuestMemory;
}

const hostFunctions = ({ start, input, calls, log, result, memory }: HostParts): WebAssembly.Imports => {
  const now = (): bigint => BigInt(calls.now) * nsPerMs;
  const startedAt = now();
  const tree = new FileTree(startedAt, (bytes) => calls.work(bytes));
  const table = new DescriptorTable([
    inputStream(Buffer.from(input)),
    outputStream((bytes) => result.write(bytes)),
    outputStream((bytes) => log.write(bytes)),
    { type: 'directory', node: tree.root, preopened: '/', rights: rights.all, inheriting: rights.all },
  ]);
  const files = { memory, table, now };
  const random = new RandomStream(start.seed, 'wasi');
  const process = { memory, now, startedAt, random, args: [start.workflow], environ: environOf(start) };
  const mvm = mvmCalls(memory, calls);
  return {
    wasi_snapshot_preview1: {
      ...answeringErrno({ ...fileCalls(files), ...pathCalls(files, tree), ...processCalls(process) }),
      poll_oneoff: suspendingCall(4, pollOneoff({ ...files, startedAt, calls })),
    },
    mvm: {
      ...mvm,
      wait: suspendingCall(1, mvm.wait),
      version: suspendingCall(2, mvm.version),
    },
  };
};

const environOf = ({ job, attempt, workflow }: StartEvent): readonly string[] => [
  `MVM_JOB=${job}`,
  `MVM_ATTEMPT=${attempt}`,
  `MVM_WORKFLOW=${workflow}`,
  'HOME=/',
  'TZ=UTC',
];

const inputStream = (input: Uint8Array): Stream => {
  let at = 0;
  return {
    type: 'stream',
    rights: rights.read,
    read: (target) => {
      const part = input.subarray(at, at + target.length);
      target.set(part);
      at += part.length;
      return part.length;
    },
  };
};

const outputStream = (write: (bytes: Uint8Array) => void): Stream => ({ type: 'stream', rights: rights.write, write });

const instantiate = (
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
  { calls, memory }: Pick<HostParts, 'calls' | 'memory'>,
): WebAssembly.Exports => {
  try {
    const { exports } = new WebAssembly.Instance(module, imports);
    const { memory: linear } = exports;
    // A start function may call the host.
    if (linear instanceof WebAssembly.Memory) memory.bind(linear);
    calls.meter.attach(exports);
    return exports;
  } catch (error) {
    throw error instanceof ProgramEnd ? error : startFault(error);
  }
};

const exitedWith = (code: number, lastLine: string): Intent => ({
  type: 'fail',
  code: 'PROGRAM_FAILED',
  name: '',
  message: `the program exited with status ${code}${lastLine === '' ? '' : `: ${lastLine.trim().slice(0, shownCharsMax).toWellFormed()}`}`,
  stack: '',
});
