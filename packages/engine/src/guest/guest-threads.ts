/**
 * The guest threads of an engine. It decides where a guest lives and how long it stays in memory; a guest that is no
 * longer there is rebuilt from its steps, in any thread.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import { engineLimits, type GuestLimits } from '../limits.ts';
import type { GuestStep } from '../run/activation.ts';
import type { StepOutcome } from './guest.ts';
import { ThreadLink } from './thread-link.ts';
import type { GuestCode, Reply } from './thread-message.ts';

/** A module that guests can be made of. */
export interface GuestModule {
  /** Made by the engine, unique in its process. */
  readonly id: number;
  readonly code: GuestCode;
}

export interface GuestThreadsOptions {
  /** At most so many threads; each is started when it is first needed. */
  readonly threads: number;
  readonly quickjs: WebAssembly.Module;
  readonly limits: GuestLimits;
  readonly clock: Clock;
  /** Guests that a thread keeps in memory. @default engineLimits.residentGuestsMax */
  readonly residentGuestsMax?: number | undefined;
}

/** A thread and the guests that are at rest in it, the one that rested longest first. */
interface Seat {
  readonly link: ThreadLink;
  readonly resting: Set<GuestHandle>;
  residents: number;
}

export class GuestThreads {
  readonly #options: GuestThreadsOptions;
  #seats: Seat[] = [];
  #nextGuest = 1;
  #unusable: string | undefined;

  constructor(options: GuestThreadsOptions) {
    this.#options = options;
  }

  /** A guest of `module`. Nothing happens in a thread before its first step. */
  open(module: GuestModule): GuestHandle {
    return new GuestHandle(this, module, this.#nextGuest++);
  }

  /** Evaluates the module as a guest's first step would. @returns the JSON text of `mvm_workflows()`, `[]` for `core` */
  async probe(module: GuestModule): Promise<Reply['outcome']> {
    const { link } = this.#roomiest();
    return link.ask({ type: 'probe', guest: this.#nextGuest++, module: module.id }, module.code);
  }

  /** Forgets a module in all threads; guests of it live on, and it is loaded again when one must be rebuilt. */
  unload(module: number): void {
    for (const { link } of this.#seats) link.unload(module);
  }

  /** Ends all threads. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#seats.map(({ link }) => link.stop()));
  }

  /**
   * The thread for a guest's next step.
   *
   * @throws {MvmError} `INTERNAL` when threads can't be started here
   */
  seat(): Seat {
    const seat = this.#roomiest();
    this.#makeRoom(seat);
    return seat;
  }

  #roomiest(): Seat {
    if (this.#unusable !== undefined) throw mvmError('INTERNAL', `guest threads can't be started: ${this.#unusable}`);
    const idle = this.#seats.find(({ link }) => link.load === 0);
    if (idle) return idle;
    if (this.#seats.length < this.#options.threads) return this.#start();
    return this.#seats.reduce((best, seat) => (seat.link.load < best.link.load ? seat : best));
  }

  #start(): Seat {
    const { quickjs, limits, clock } = this.#options;
    const link = new ThreadLink({
      quickjs,
      limits,
      clock,
      onEnded: (_link, { usable, reason }) => {
        this.#seats = this.#seats.filter((other) => other !== seat);
        if (!usable && reason !== 'stopped') this.#unusable = reason;
      },
    });
    const seat: Seat = { link, resting: new Set(), residents: 0 };
    this.#seats.push(seat);
    return seat;
  }

  #makeRoom(seat: Seat): void {
    const most = this.#options.residentGuestsMax ?? engineLimits.residentGuestsMax;
    for (const guest of seat.resting) {
      if (seat.residents < most) return;
      guest.evict();
    }
  }
}

/** One guest. It takes one step at a time. */
export class GuestHandle {
  readonly #threads: GuestThreads;
  readonly #module: GuestModule;
  readonly #id: number;
  #seat: Seat | undefined;
  /** Steps that the guest in memory has taken. */
  #fed = 0;
  #closed = false;

  constructor(threads: GuestThreads, module: GuestModule, id: number) {
    this.#threads = threads;
    this.#module = module;
    this.#id = id;
  }

  /**
   * Brings the guest to the end of its steps: `stepsFrom(n)` gives them from number n on. A guest that isn't in memory
   * takes all of them again. The index of a divergence counts from the first step of all.
   */
  async step(stepsFrom: (first: number) => readonly GuestStep[]): Promise<StepOutcome> {
    const seat = this.#seat ?? this.#sitDown();
    seat.resting.delete(this);
    const first = this.#fed;
    const steps = stepsFrom(first);
    const command = { type: 'step', guest: this.#id, module: this.#module.id, steps } as const;
    const outcome = await seat.link.ask(command, this.#module.code);
    switch (outcome.type) {
      case 'stepped':
        this.#fed = first + steps.length;
        if (!this.#closed) seat.resting.add(this);
        return outcome;
      case 'diverged':
        return { ...outcome, index: outcome.index + first };
      case 'faulted':
      case 'lost':
        this.#standUp();
        return outcome;
      case 'probed':
        throw mvmError('INTERNAL', 'a step was answered as a probe');
    }
  }

  /** Drops the guest from memory; its next step rebuilds it. Only for a guest at rest. */
  evict(): void {
    this.#seat?.link.send({ type: 'close', guest: this.#id });
    this.#standUp();
  }

  /** Frees the guest. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.evict();
  }

  #sitDown(): Seat {
    const seat = this.#threads.seat();
    seat.residents += 1;
    this.#seat = seat;
    return seat;
  }

  #standUp(): void {
    if (!this.#seat) return;
    this.#seat.resting.delete(this);
    this.#seat.residents -= 1;
    this.#seat = undefined;
    this.#fed = 0;
  }
}
