/**
 * The guest threads of an engine. It decides where a guest lives and how long it stays in memory; a guest that is no
 * longer there is rebuilt from its steps, in any thread.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import { engineLimits, type GuestLimits } from '../limits.ts';
import type { EngineStats } from '../engine-stats.ts';
import type { GuestStep } from '../run/activation.ts';
import type { GuestState } from './guest-state.ts';
import type { StepOutcome } from './guest.ts';
import { ThreadLink } from './thread-link.ts';
import { sentPieces, type StepPiece } from './sent-steps.ts';
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
  /** Guests in its memory, and together their weight: see {@link weightOf}. */
  residents: number;
  weight: number;
}

/** What guest threads keep in memory, and what they moved. */
export type GuestStats = Pick<
  EngineStats,
  'threads' | 'guests' | 'restingGuests' | 'evictions' | 'rebuilds' | 'fuel' | 'fault'
>;

export class GuestThreads implements AsyncDisposable {
  readonly #options: GuestThreadsOptions;
  #seats: Seat[] = [];
  #nextGuest = 1;
  #unusable: string | undefined;
  readonly #counts = { evictions: 0, rebuilds: 0, fuel: 0 };

  constructor(options: GuestThreadsOptions) {
    this.#options = options;
  }

  /** A guest of `module`, where there is one with the state that it goes on from. Nothing happens in a thread before its first step. */
  open(module: GuestModule, resume?: ResumedState): GuestHandle {
    return new GuestHandle(this, { module, id: this.#nextGuest++, resume });
  }

  /** Evaluates the module as a guest's first step would. @returns the JSON text of `mvm_workflows()`, `[]` for `core` */
  async probe(module: GuestModule): Promise<Reply['outcome']> {
    const { link } = this.#roomiest();
    return link.ask({ type: 'probe', guest: this.#nextGuest++, module: module.id }, module.code);
  }

  /** What it keeps in memory now, and what it moved. */
  get stats(): GuestStats {
    const sum = (read: (seat: Seat) => number): number => this.#seats.reduce((total, seat) => total + read(seat), 0);
    const guests = sum(({ residents }) => residents);
    const restingGuests = sum(({ resting }) => resting.size);
    const fuel = this.#counts.fuel + sum(({ link }) => link.fuel);
    return { threads: this.#seats.length, guests, restingGuests, ...this.#counts, fuel, fault: this.#unusable };
  }

  /** Counts a guest that is made again from its steps. */
  countRebuild(): void {
    this.#counts.rebuilds += 1;
  }

  /** Forgets a module in all threads; guests of it live on, and it is loaded again when one must be rebuilt. */
  unload(module: number): void {
    for (const { link } of this.#seats) link.unload(module);
  }

  /** Ends all threads. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#seats.map(({ link }) => link.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
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
      onEnded: ({ fuel }, { usable, reason }) => {
        this.#counts.fuel += fuel;
        this.#seats = this.#seats.filter((other) => other !== seat);
        if (!usable && reason !== 'stopped') this.#unusable = reason;
      },
    });
    const seat: Seat = { link, resting: new Set(), residents: 0, weight: 0 };
    this.#seats.push(seat);
    return seat;
  }

  #makeRoom(seat: Seat): void {
    const weightMax = this.#options.residentGuestsMax ?? engineLimits.residentGuestsMax;
    const memoriesMax = engineLimits.residentMemoriesMax / this.#options.threads;
    for (const guest of seat.resting) {
      if (seat.weight < weightMax && seat.residents < memoriesMax) return;
      guest.evict();
      this.#counts.evictions += 1;
    }
  }
}

/** What a guest takes in memory, in script guests: these have a runtime of their own, a core guest has a few pages. */
const weightOf = ({ kind }: GuestCode): number => (kind === 'core' ? 1 / 16 : 1);

/** A guest's state and how many of its steps are behind it. */
export interface StandingState {
  readonly steps: number;
  readonly state: GuestState;
}

/** A state that a guest goes on from, with the seed of its attempt. */
export interface ResumedState extends StandingState {
  readonly seed: Uint8Array;
}

/** The steps from a number on: at once, or when they are read. */
export type StepSource = (first: number) => readonly GuestStep[] | Promise<readonly GuestStep[]>;

/** What may be asked of a guest between two steps. */
type AtRest = { readonly type: 'capture' | 'hash' } | { readonly type: 'query'; readonly question: string };

interface GuestHandleOptions {
  readonly module: GuestModule;
  readonly id: number;
  readonly resume: ResumedState | undefined;
}

/**
 * One guest.
 *
 *   1. It takes one step at a time, and what is asked of it between two steps comes before the next one.
 *   2. One that isn't in memory is rebuilt: from the state that was taken out last, if there is one and it fits, and the steps
 *      since; else from its first step.
 */
export class GuestHandle {
  readonly #threads: GuestThreads;
  readonly #module: GuestModule;
  readonly #id: number;
  #seat: Seat | undefined;
  /** Steps that the guest in memory has taken. */
  #fed = 0;
  /** Whether it was in memory before. */
  #wasSeated = false;
  #closed = false;
  #resume: StandingState | undefined;
  /** Of the attempt: of the resumed state, or as the first step tells it. */
  #seed: Uint8Array | undefined;
  /** What was asked of the guest at rest and isn't answered yet (1). */
  #asking: Promise<unknown> | undefined;

  constructor(threads: GuestThreads, { module, id, resume }: GuestHandleOptions) {
    this.#threads = threads;
    this.#module = module;
    this.#id = id;
    this.#resume = resume;
    this.#seed = resume?.seed;
  }

  /** Steps behind the state that the guest is rebuilt from; 0: it takes all of them again. */
  get resumesFrom(): number {
    return this.#resume?.steps ?? 0;
  }

  /**
   * Brings the guest to the end of its steps: `stepsFrom(n)` gives them from number n on. A guest that isn't in memory
   * is rebuilt first (2). The index of a divergence counts from the first step of all.
   */
  async step(stepsFrom: StepSource): Promise<StepOutcome> {
    while (this.#asking) await this.#asking;
    if (!this.#seat && this.#resume) await this.#restore(this.#sitDown(), this.#resume);
    if (this.#closed) return { type: 'lost' };
    const seat = this.#seat ?? this.#sitDown();
    seat.resting.delete(this);
    let outcome: StepOutcome = { type: 'lost' };
    const given = stepsFrom(this.#fed);
    const steps = given instanceof Promise ? await given : given;
    this.#seed ??= seedOf(steps);
    const pieces = sentPieces(steps, this.#module.code.kind);
    for (let { value } = pieces.next(); value;) {
      const taken = this.#take(seat, value);
      // Packed while the thread takes the one before.
      ({ value } = pieces.next());
      outcome = await taken;
      if (outcome.type !== 'stepped') return outcome;
    }
    if (!this.#closed) seat.resting.add(this);
    return outcome;
  }

  async #take(seat: Seat, { steps, count }: StepPiece): Promise<StepOutcome> {
    // Between two pieces it may have been closed: a step would make it anew.
    if (this.#closed) return { type: 'lost' };
    const first = this.#fed;
    const command = { type: 'step', guest: this.#id, module: this.#module.id, steps } as const;
    const outcome = await seat.link.ask(command, this.#module.code);
    switch (outcome.type) {
      case 'stepped':
        this.#fed = first + count;
        return outcome;
      case 'diverged':
        return { ...outcome, index: outcome.index + first };
      case 'faulted':
      case 'lost':
        this.#standUp();
        return outcome;
      default:
        throw mvmError('INTERNAL', `a step was answered as "${outcome.type}"`);
    }
  }

  /**
   * Takes the guest's state out, while it goes on resting; from now on it is rebuilt from there.
   *
   * @returns undefined when it is in a step, not in memory, or of a kind whose state can't be taken out
   */
  async capture(): Promise<StandingState | undefined> {
    while (this.#asking) await this.#asking;
    return this.#capture();
  }

  /** BLAKE3 of the guest's memory, hex; undefined when there is none, as for {@link GuestHandle.capture}. */
  async memoryHash(): Promise<string | undefined> {
    while (this.#asking) await this.#asking;
    const outcome = await this.#askAtRest({ type: 'hash' });
    return outcome?.type === 'hashed' ? (outcome.hash ?? undefined) : undefined;
  }

  /** Asks the guest at rest; it may only be closed afterwards. @returns undefined when it isn't in memory */
  async query(question: string): Promise<Reply['outcome'] | undefined> {
    while (this.#asking) await this.#asking;
    return this.#askAtRest({ type: 'query', question });
  }

  /**
   * Drops the guest from memory; its next step rebuilds it. Only for a guest at rest. Its state is kept when many steps
   * would have to be taken again.
   */
  evict(): void {
    if (!this.#closed && this.#fed - this.resumesFrom >= engineLimits.keptStateStepsMin) this.#keepState();
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
    seat.weight += weightOf(this.#module.code);
    this.#seat = seat;
    if (this.#wasSeated) this.#threads.countRebuild();
    this.#wasSeated = true;
    return seat;
  }

  /** Makes the guest in its new seat from a state. One that doesn't fit is forgotten. */
  async #restore(seat: Seat, { state, steps }: StandingState): Promise<void> {
    const seed = this.#seed ?? new Uint8Array();
    const command = { type: 'restore', guest: this.#id, module: this.#module.id, state, seed } as const;
    const outcome = await seat.link.ask(command, this.#module.code);
    if (outcome.type === 'restored' && outcome.isUsable) {
      if (this.#seat === seat) this.#fed = steps;
      return;
    }
    if (outcome.type === 'lost') this.#standUp();
    else this.#resume = undefined;
  }

  async #capture(): Promise<StandingState | undefined> {
    const steps = this.#fed;
    const outcome = await this.#askAtRest({ type: 'capture' });
    if (outcome?.type !== 'captured' || !outcome.state) return undefined;
    this.#resume = { steps, state: outcome.state };
    return this.#resume;
  }

  /** Asks for the state right before the guest goes; its next step waits for the answer (1). */
  #keepState(): void {
    if (!this.#asking) void this.#capture();
  }

  #askAtRest(what: AtRest): Promise<Reply['outcome']> | undefined {
    const seat = this.#seat;
    if (!seat?.resting.has(this)) return undefined;
    const asked = seat.link.ask({ ...what, guest: this.#id, module: this.#module.id }, this.#module.code);
    this.#asking = asked.then(() => (this.#asking = undefined));
    return asked;
  }

  #standUp(): void {
    if (!this.#seat) return;
    this.#seat.resting.delete(this);
    this.#seat.residents -= 1;
    this.#seat.weight -= weightOf(this.#module.code);
    this.#seat = undefined;
    this.#fed = 0;
  }
}

const seedOf = (steps: readonly GuestStep[]): Uint8Array | undefined => {
  const [start] = steps[0]?.activation.events ?? [];
  return start?.type === 'start' ? start.seed : undefined;
};
