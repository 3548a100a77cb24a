/**
 * A `flawless` guest: a module of the public `flawless` crate (docs/reference/flawless.md, "Modules"). Its only import
 * takes commands as JSON; where a command must wait, its stack is suspended.
 */
import type { Intent } from '@mvm-ci/protocol';
import { Coroutine, nobodysStart, type GuestHost, type Program, type StartEvent } from '../blocking/coroutine.ts';
import { ProgramEnd } from '../blocking/program-end.ts';
import { suspendingCall } from '../blocking/suspending-call.ts';
import { GuestFault } from '../guest.ts';
import { startFault } from '../trap-fault.ts';
import { GuestMemory } from '../wasi/guest-memory.ts';
import { CommandDesk } from './command-desk.ts';
import { giveAnswer, readCommand, submitImport, type SubmitParameters, type SubmitSite } from './submit-site.ts';

/** A guest of `module`; nothing runs before its first step. */
export const openFlawlessGuest = (module: WebAssembly.Module, host: GuestHost): Coroutine =>
  new Coroutine(new FlawlessProgram(module), host);

class FlawlessProgram implements Program {
  readonly #module: WebAssembly.Module;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  async run(start: StartEvent, calls: Coroutine): Promise<readonly Intent[]> {
    const desk = new CommandDesk(start, calls, ownName(this.#module));
    try {
      const { init, run } = partsOf(this.#instantiate(desk, calls), start.workflow);
      await init();
      // What comes after a promise has a stack of its own, and must be on stage for it.
      await calls.nextTurn();
      await run();
      return [{ type: 'complete', result: desk.response }];
    } catch (error) {
      if (error instanceof ProgramEnd || error instanceof GuestFault || desk.lastError === '') throw error;
      // A panic: it was logged, then the code trapped.
      return [{ type: 'fail', code: 'WORKFLOW_FAILED', name: '', message: desk.lastError, stack: '' }];
    }
  }

  load(calls: Coroutine): readonly string[] {
    const exports = this.#instantiate(new CommandDesk(nobodysStart, calls, ''), calls);
    return Object.keys(exports).flatMap((name) => (name.startsWith(runPrefix) ? [name.slice(runPrefix.length)] : []));
  }

  #instantiate(desk: CommandDesk, calls: Coroutine): WebAssembly.Exports {
    const memory = new GuestMemory((bytes) => calls.work(bytes));
    let allocate: SubmitSite['allocate'] = () => 0;
    // A host function calls it, within a command or when the answer is there.
    const site: SubmitSite = { memory, allocate: (bytes) => calls.undivided(() => allocate(bytes)) };
    const submit = suspendingCall(4, submitTo(desk, site));
    const exports = instantiate(this.#module, submit);
    const { memory: linear, 'wasabi::alloc': alloc } = exports;
    if (!(linear instanceof WebAssembly.Memory) || !isAllocator(alloc))
      throw invalid('memory or wasabi::alloc is missing');
    // A start function may call the host.
    memory.bind(linear);
    allocate = alloc;
    calls.undivided(() => begin(exports, calls));
    return exports;
  }
}

const initPrefix = '#flawless#workflow#init#';
const runPrefix = '#flawless#workflow#run#';

const partsOf = (exports: WebAssembly.Exports, workflow: string): { readonly init: Run; readonly run: Run } => {
  const [init, run] = [exports[initPrefix + workflow], exports[runPrefix + workflow]];
  if (typeof init !== 'function' || typeof run !== 'function') throw invalid(`it has no workflow "${workflow}"`);
  return { init: WebAssembly.promising(init), run: WebAssembly.promising(run) };
};

type Run = () => Promise<unknown>;

const isAllocator = (value: unknown): value is SubmitSite['allocate'] => typeof value === 'function';

const submitTo =
  (desk: CommandDesk, site: SubmitSite) =>
  (...parameters: SubmitParameters): number | Promise<number> => {
    const output = desk.submit(readCommand(site, parameters));
    return output instanceof Promise
      ? output.then((json) => giveAnswer(site, json, parameters))
      : giveAnswer(site, output, parameters);
  };

const instantiate = (module: WebAssembly.Module, submit: unknown): WebAssembly.Exports => {
  const imports = { [submitImport.module]: { [submitImport.name]: submit } };
  try {
    return new WebAssembly.Instance(module, imports).exports;
  } catch (error) {
    throw startFault(error);
  }
};

/** Counts from now on, and runs the start function. */
const begin = (exports: WebAssembly.Exports, calls: Coroutine): void => {
  try {
    calls.meter.attach(exports);
  } catch (error) {
    throw startFault(error);
  }
};

const invalid = (what: string): GuestFault =>
  new GuestFault({ code: 'MODULE_INVALID', message: `not a module of the flawless crate that can be run: ${what}` });

const marker = '#flawless#module#';

/** `name@version` by the module's marker export. */
const ownName = (module: WebAssembly.Module): string => {
  const found = WebAssembly.Module.exports(module).find(({ name }) => name.startsWith(marker));
  return (found?.name ?? marker).slice(marker.length).replace('%_#_%', '@');
};
