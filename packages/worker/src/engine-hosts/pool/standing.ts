/**
 * What a pool knows about one server, and what follows from it: whether it gets runs, and how large a share. Pure: events
 * and the time come in, nothing happens outside.
 *
 *   new → serving ⇄ draining
 *           ⇅    ↙
 *         ejected
 *
 *   1. An ejected or draining server serves again only after a probe that succeeded, and then begins with a small share.
 *   2. Probes and runs are counted apart: a server that answers probes and breaks every run is ejected all the same.
 *   3. Being busy and draining are no failures.
 *   4. Each ejection is longer than the one before, up to a limit, until the server has served well for a while.
 */
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import type { MemberHealth } from '../../engine-host.ts';
import { poolLimits } from '../../limits.ts';

/** Where a server is in its life. Times are on the monotonic clock. */
export type Phase =
  /** Nobody has asked it yet. */
  | { readonly type: 'new' }
  | { readonly type: 'serving'; readonly sinceMs: number }
  | { readonly type: 'ejected'; readonly untilMs: number }
  | { readonly type: 'draining' };

export class Standing {
  #phase: Phase = { type: 'new' };
  readonly #startsWarm: boolean;
  #probeFailures = 0;
  #runFailures = 0;
  /** The last runs: whether they failed. */
  #failed: readonly boolean[] = [];
  #runFailedMs = -Infinity;
  #suspectUntilMs = -Infinity;
  #ejections = 0;
  #busyUntilMs = -Infinity;
  #busyInRow = 0;
  #lastError: MvmError | undefined;
  #reported: MemberHealth | undefined;

  /** `startsWarm`: it gets its full share from the first probe on, as all do when a pool begins. */
  constructor({ startsWarm }: { readonly startsWarm: boolean }) {
    this.#startsWarm = startsWarm;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get lastError(): MvmError | undefined {
    return this.#lastError;
  }

  /** What it said when it was probed last. */
  get reported(): MemberHealth | undefined {
    return this.#reported;
  }

  /** It failed a moment ago: better take another one. */
  isSuspect(nowMs: number): boolean {
    return nowMs < this.#suspectUntilMs;
  }

  /** It said that it is busy a moment ago. */
  isBusy(nowMs: number): boolean {
    return nowMs < this.#busyUntilMs;
  }

  /** Its part of its full share, up to 1. */
  share(nowMs: number): number {
    if (this.#phase.type !== 'serving') return 0;
    const grown = (nowMs - this.#phase.sinceMs) / poolLimits.slowStartMs;
    return Math.min(1, Math.max(poolLimits.slowStartShareMin, grown));
  }

  probeSucceeded(nowMs: number, health: MemberHealth): void {
    this.#reported = health;
    this.#probeFailures = 0;
    this.#suspectUntilMs = -Infinity;
    const { type } = this.#phase;
    if (type !== 'serving') return this.#serve(type === 'new' && this.#startsWarm ? -Infinity : nowMs);
    if (nowMs - this.#phase.sinceMs >= poolLimits.ejectForgetMs) this.#ejections = 0;
  }

  /** @returns whether it is ejected now, or still */
  probeFailed(nowMs: number, error: MvmError): boolean {
    this.#suspect(nowMs, error);
    this.#probeFailures += 1;
    if (this.#phase.type === 'serving' && this.#probeFailures < poolLimits.failuresToEject) return false;
    return this.#eject(nowMs);
  }

  /** It says that it ends: no failure, and no new runs. */
  drains(): void {
    this.#lastError = mvmError('UNAVAILABLE', 'the engine server is draining');
    this.#phase = { type: 'draining' };
    this.#probeFailures = 0;
  }

  runSucceeded(): void {
    this.#runFailures = 0;
    this.#busyInRow = 0;
    this.#remember(false);
  }

  /**
   * A run was interrupted.
   *
   * @returns whether it deserves to be ejected for its runs; {@link ejectForRuns} does it
   */
  runFailed(nowMs: number, error: MvmError): boolean {
    const isSameFailure = nowMs - this.#runFailedMs < poolLimits.failureMergeMs;
    this.#suspect(nowMs, error);
    if (isSameFailure || this.#phase.type !== 'serving') return false;
    this.#runFailedMs = nowMs;
    this.#runFailures += 1;
    this.#remember(true);
    return this.#runFailures >= poolLimits.failuresToEject || this.#failsTooOften;
  }

  ejectForRuns(nowMs: number): void {
    if (this.#phase.type === 'serving') this.#eject(nowMs);
  }

  /** It turned a run away because it has enough; `jitter` is from 0 to 1. */
  runRefused(nowMs: number, jitter: number): void {
    const ms = Math.min(poolLimits.busyMsMax, poolLimits.busyMs * 2 ** Math.min(16, this.#busyInRow));
    this.#busyInRow += 1;
    this.#busyUntilMs = nowMs + ms * (0.5 + jitter / 2);
  }

  get #failsTooOften(): boolean {
    const failures = this.#failed.filter(Boolean).length;
    return this.#failed.length >= poolLimits.ratioRunsMin && failures >= poolLimits.ratioToEject * this.#failed.length;
  }

  #remember(failed: boolean): void {
    this.#failed = [...this.#failed, failed].slice(-poolLimits.ratioRuns);
  }

  #suspect(nowMs: number, error: MvmError): void {
    this.#lastError = error;
    this.#suspectUntilMs = nowMs + poolLimits.suspectMs;
  }

  #serve(sinceMs: number): void {
    this.#phase = { type: 'serving', sinceMs };
    this.#runFailures = 0;
    this.#failed = [];
    this.#busyInRow = 0;
    this.#busyUntilMs = -Infinity;
  }

  #eject(nowMs: number): true {
    const ms = Math.min(poolLimits.ejectMsMax, poolLimits.ejectMs * 2 ** Math.min(16, this.#ejections));
    this.#ejections += 1;
    this.#phase = { type: 'ejected', untilMs: nowMs + ms };
    return true;
  }
}
