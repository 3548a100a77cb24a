/**
 * The fuel of a thread's guests, and who of them may go on (docs/internals/fuel.md). Each guest has a {@link FuelMeter}; a module that
 * was metered at admission (`module/metering.ts`) counts in a global, and calls a function of the host when that is below 0.
 *
 *   1. A meter grants its guest slices of what the attempt may use. How they are cut changes nothing: what was charged is the
 *      difference between the budget and what is left, and it ends the attempt at the first charge that goes beyond the budget.
 *   2. At the end of each slice, a guest that was cancelled, or whose step lasts too long, is stopped where it is, by an exception that
 *      its code can't catch (modules with exceptions are refused).
 *   3. One meter is in use at a time: that of the guest on stage (`stage.ts`).
 *   4. A guest that {@link FuelMeter.takeTurns} is suspended at the end of a slice, once its turn is over. A step's time is that of its
 *      turns together.
 */
import { engineLimits, type GuestLimits } from '../../limits.ts';
import { fuelExport, startExport, tickExport } from '../../module/own-names.ts';
import { GuestFault } from '../guest.ts';
import { tickFunction } from './tick-function.ts';

export interface MeteringOptions {
  readonly limits: Pick<GuestLimits, 'fuelMax' | 'stepMsMax'>;
  /** Monotonic host time in ms. */
  readonly monotonicMs: () => number;
  /** Whether the guest on stage was closed: nobody waits for its step any more. */
  readonly isCancelled: () => boolean;
  /** So much was used since it was called last: at the end of a slice, of an attempt, and when a guest leaves the memory. @default nothing */
  readonly onUsed?: ((units: number) => void) | undefined;
}

/** A guest that may not go on, and was stopped at a charge. */
export class FuelStop extends GuestFault {}

/** What all meters of a thread share. */
export class Metering {
  readonly options: MeteringOptions;
  /** What metered code calls. */
  readonly tick: unknown = tickFunction({
    tick: () => this.inUse?.tick() ?? false,
    turn: () => this.inUse?.nextTurn(),
  });
  /** The meter of the guest whose code runs (3). */
  inUse: FuelMeter | undefined;

  constructor(options: MeteringOptions) {
    this.options = options;
  }
}

const slice = engineLimits.fuelSlice;

export class FuelMeter {
  readonly #metering: Metering;
  #counter: WebAssembly.Global | undefined;
  /** Suspends the guest until its next turn (4). */
  #suspend: (() => Promise<void>) | undefined;
  /** What is left beyond the slice that is in the counter. */
  #reserve: number;
  /** What was left when its use was told last. */
  #told: number;
  /** What was left of the current step's time when the current turn began. */
  #stepMsLeft = Number.POSITIVE_INFINITY;
  /** When the current turn began, in monotonic time. */
  #turnAtMs = 0;

  constructor(metering: Metering) {
    this.#metering = metering;
    this.#reserve = metering.options.limits.fuelMax;
    this.#told = this.#reserve;
  }

  /** What the attempt may still use. */
  get left(): number {
    return this.#reserve + Number(this.#counter?.value ?? 0);
  }

  /**
   * Counts for an instance from now on, and runs its start function, with a budget of its own.
   *
   * @throws {GuestFault} as code that runs out of fuel or time; whatever the start function traps with
   */
  attach(exports: WebAssembly.Exports): void {
    const { [fuelExport]: counter, [tickExport]: table, [startExport]: start } = exports;
    if (!isCounter(counter) || !(table instanceof WebAssembly.Table))
      throw new Error('the module was not metered when it was admitted');
    table.set(0, this.#metering.tick);
    this.#counter = counter;
    this.refill();
    this.beginStep();
    if (isFunction(start)) start();
    this.refill();
  }

  /**
   * From now on a turn of the guest ends with the first slice after `engineLimits.turnMs` of it (4).
   *
   * @param suspend - resolves when the guest's next turn has come; it calls {@link pause} and {@link enter}. Undefined while code runs that
   * can't be suspended: `WebAssembly.promising` has not entered it, or a frame of JavaScript is below it.
   */
  takeTurns(suspend: (() => Promise<void>) | undefined): void {
    this.#suspend = suspend;
  }

  /** From now on so much may be used. @param left - @default the budget of an attempt */
  refill(left: number = this.#metering.options.limits.fuelMax): void {
    this.#tell();
    const granted = Math.min(slice, left);
    this.#reserve = left - granted;
    if (this.#counter) this.#counter.value = granted;
    this.#told = left;
  }

  #tell(): void {
    const { left } = this;
    const used = this.#told - left;
    this.#told = left;
    if (used > 0) this.#metering.options.onUsed?.(used);
  }

  /** The guest's code is about to run, and has a step's time. */
  beginStep(): void {
    this.#stepMsLeft = this.#metering.options.limits.stepMsMax;
    this.enter();
  }

  /** The guest's code is about to go on: a turn begins. */
  enter(): void {
    this.#turnAtMs = this.#metering.options.monotonicMs();
    this.#metering.inUse = this;
  }

  /** The guest's turn is over, its step is not: what passes until {@link enter} is not its time. */
  pause(): void {
    this.#stepMsLeft -= this.#turnMs();
  }

  /** The host did something for the guest that runs. @throws {FuelStop} when the guest may not go on */
  charge(units: number): void {
    if (!this.#counter) return;
    this.#counter.value = Number(this.#counter.value) - units;
    if (this.#counter.value < 0) this.tick();
  }

  /** Lets go of the instance: nothing of it is left in memory. */
  detach(): void {
    this.#tell();
    this.#reserve = this.left;
    this.#counter = undefined;
    if (this.#metering.inUse === this) this.#metering.inUse = undefined;
  }

  /** The slice is used up. @returns whether the turn is over @throws {FuelStop} when the guest may not go on (1, 2) */
  tick(): boolean {
    this.#tell();
    const { left } = this;
    const { limits, isCancelled } = this.#metering.options;
    if (left < 0) throw exhausted(limits.fuelMax);
    if (isCancelled()) throw new FuelStop({ code: 'CANCELLED', message: 'nobody waits for this step any more' });
    const turnMs = this.#turnMs();
    if (turnMs > this.#stepMsLeft) throw stepTimeout(limits.stepMsMax);
    this.refill(left);
    return this.#suspend !== undefined && turnMs >= engineLimits.turnMs;
  }

  /** The turn is over: resolves in the next one, where there may be one. */
  nextTurn(): Promise<void> | undefined {
    return this.#suspend?.();
  }

  #turnMs(): number {
    return this.#metering.options.monotonicMs() - this.#turnAtMs;
  }
}

const isCounter = (value: unknown): value is WebAssembly.Global => value instanceof WebAssembly.Global;

const isFunction = (value: unknown): value is () => unknown => typeof value === 'function';

const exhausted = (limit: number): FuelStop =>
  new FuelStop({
    code: 'FUEL_EXHAUSTED',
    message: `an attempt may use ${limit} units of fuel, and this one needs more`,
    details: { limit },
  });

const stepTimeout = (limitMs: number): FuelStop =>
  new FuelStop({
    code: 'STEP_TIMEOUT',
    message: `a step of the workflow did not end within ${limitMs} ms`,
    details: { limitMs },
  });
