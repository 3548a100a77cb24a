/**
 * One guest thread, seen from the main side: sends commands in batches, gives each answer to whoever waits for it, and
 * watches the thread.
 *
 *   1. Each step that was sent is settled exactly once: by its answer, or when the thread ends.
 *   2. A step that outlasts its deadline and the grace ends the thread: its guest is told `STEP_TIMEOUT`, all others of
 *      this thread are `lost` and can be rebuilt elsewhere.
 *   3. After `onEnded` the link is dead: it calls nothing, sends nothing, and everything asked of it is `lost`.
 */
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '@mvm-ci/protocol';
import { engineLimits, type GuestLimits } from '../limits.ts';
import type { FaultFacts } from './guest.ts';
import { atTurnEnd } from '../system-turn.ts';
import { packCommands, unpackReplies } from './thread-packing.ts';
import {
  cancelSlot,
  cancelSlots,
  pulseWords,
  type Command,
  type GuestCode,
  type Reply,
  type ThreadStart,
} from './thread-message.ts';

export interface ThreadLinkOptions {
  readonly quickjs: WebAssembly.Module;
  readonly limits: GuestLimits;
  readonly clock: Clock;
  /** The thread is gone. `usable` says whether it ever answered: one that never did will not the next time either. */
  readonly onEnded: (link: ThreadLink, end: { readonly usable: boolean; readonly reason: string }) => void;
}

type Settle = (outcome: Reply['outcome']) => void;

// Beside this file, with its extension: .ts in the repository, .js when built.
const entryPoint = new URL(
  import.meta.url.endsWith('.ts') ? './guest-thread.ts' : './guest-thread.js',
  import.meta.url,
);
const checksPerDeadline = 4;

export class ThreadLink {
  readonly #options: ThreadLinkOptions;
  readonly #worker: Worker;
  readonly #pulse = new Int32Array(new SharedArrayBuffer(4 * pulseWords.count));
  readonly #cancels = new Int32Array(new SharedArrayBuffer(4 * cancelSlots));
  readonly #fuel = new BigInt64Array(new SharedArrayBuffer(8));
  readonly #waiting = new Map<number, Settle>();
  readonly #modules = new Set<number>();
  #outbox: Command[] = [];
  #answered = false;
  #ended = false;
  #watch: Timer | undefined;
  #seen = { beat: 0, atMs: 0 };

  constructor(options: ThreadLinkOptions) {
    this.#options = options;
    const { quickjs, limits } = options;
    const workerData: ThreadStart = { quickjs, limits, pulse: this.#pulse, cancels: this.#cancels, fuel: this.#fuel };
    this.#worker = new Worker(entryPoint, {
      workerData,
      resourceLimits: { stackSizeMb: engineLimits.threadStackMib },
    });
    this.#worker.unref();
    this.#worker.on('message', (message: Uint8Array) => this.#receive(unpackReplies(message)));
    this.#worker.on('error', (error) => this.#end(this.#crash(error)));
    this.#worker.on('exit', (code) =>
      this.#end({ code: 'GUEST_TRAPPED', message: `the guest thread exited with ${code}` }),
    );
  }

  /** Steps that wait for their answers. */
  get load(): number {
    return this.#waiting.size;
  }

  /** Units of fuel that its guests have used; what a guest used last is counted when its slice ends. */
  get fuel(): number {
    return Number(Atomics.load(this.#fuel, 0));
  }

  /** Sends a command that is answered and, before it, the module if the thread hasn't got it. */
  ask(
    command: Exclude<Command, { readonly type: 'load' | 'unload' | 'close' }>,
    code: GuestCode,
  ): Promise<Reply['outcome']> {
    // A guest that was at rest here when the thread ended.
    if (this.#ended) return Promise.resolve({ type: 'lost' });
    if (!this.#modules.has(command.module)) {
      this.#modules.add(command.module);
      this.send({ type: 'load', module: command.module, code });
    }
    const { promise, resolve } = Promise.withResolvers<Reply['outcome']>();
    this.#waiting.set(command.guest, resolve);
    this.send(command);
    if (this.#waiting.size === 1) this.#startWatch();
    return promise;
  }

  /** Sends a command that has no answer. */
  send(command: Command): void {
    if (this.#ended) return;
    if (command.type === 'close') this.#cancel(command.guest);
    this.#outbox.push(command);
    // What is packed already is long: the thread begins with it while the next piece is packed.
    if (command.type === 'step' && 'form' in command.steps) return this.#flush();
    if (this.#outbox.length === 1) atTurnEnd(() => this.#flush());
  }

  /** Forgets a module in the thread, if it is there. */
  unload(module: number): void {
    if (this.#modules.delete(module)) this.send({ type: 'unload', module });
  }

  /** Ends the thread; what waits is `lost`. Idempotent. */
  async stop(): Promise<void> {
    this.#end(undefined);
    await this.#worker.terminate();
  }

  #flush(): void {
    const commands = this.#outbox;
    this.#outbox = [];
    if (this.#ended || commands.length === 0) return;
    for (const message of packCommands(commands))
      this.#worker.postMessage(message, message instanceof Uint8Array ? [message.buffer] : []);
  }

  #receive(replies: readonly Reply[]): void {
    if (this.#ended) return;
    this.#answered = true;
    for (const { guest, outcome } of replies) {
      const settle = this.#waiting.get(guest);
      this.#waiting.delete(guest);
      Atomics.compareExchange(this.#cancels, cancelSlot(guest), guest, 0);
      settle?.(outcome);
    }
    if (this.#waiting.size === 0) this.#watch?.cancel();
  }

  /** Nobody waits for a step of `guest`: the thread can't read that while the step lasts. */
  #cancel(guest: number): void {
    if (this.#waiting.has(guest)) Atomics.compareExchange(this.#cancels, cancelSlot(guest), 0, guest);
  }

  #startWatch(): void {
    this.#watch?.cancel();
    this.#seen = { beat: Atomics.load(this.#pulse, pulseWords.beat), atMs: this.#options.clock.monotonicMs() };
    this.#scheduleCheck();
  }

  #scheduleCheck(): void {
    const everyMs = this.#options.limits.stepMsMax / checksPerDeadline;
    this.#watch = this.#options.clock.after(everyMs, () => this.#check());
  }

  #check(): void {
    const { clock, limits } = this.#options;
    const beat = Atomics.load(this.#pulse, pulseWords.beat);
    const nowMs = clock.monotonicMs();
    if (beat !== this.#seen.beat) this.#seen = { beat, atMs: nowMs };
    const isStuck = isInStep(beat) && nowMs - this.#seen.atMs > limits.stepMsMax + limits.stepGraceMs;
    if (!isStuck) return this.#scheduleCheck();
    void this.#worker.terminate();
    this.#end({
      code: 'STEP_TIMEOUT',
      message: `a step of the workflow did not end within ${limits.stepMsMax} ms`,
      details: { limitMs: limits.stepMsMax },
    });
  }

  #crash(error: unknown): FaultFacts {
    const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const reason = error instanceof Error ? error.message : String(error);
    return isMemory
      ? { code: 'OUT_OF_MEMORY', message: `the guest's thread ran out of memory: ${reason}` }
      : { code: 'GUEST_TRAPPED', message: `the guest's thread failed: ${reason}` };
  }

  /** Settles everything: with `facts` for the guest that was in a step, `lost` for the others. */
  #end(facts: FaultFacts | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watch?.cancel();
    const inStep = isInStep(Atomics.load(this.#pulse, pulseWords.beat));
    const culprit = facts && inStep ? Atomics.load(this.#pulse, pulseWords.guest) : undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#options.onEnded(this, { usable: this.#answered || inStep, reason: facts?.message ?? 'stopped' });
    for (const [guest, settle] of waiting)
      settle(facts && guest === culprit ? { type: 'faulted', facts } : { type: 'lost' });
  }
}

const isInStep = (beat: number): boolean => (beat & 1) === 1;
