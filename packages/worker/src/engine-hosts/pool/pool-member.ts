/**
 * One server of a pool: its host, the probes, and the runs there. What they say goes into its {@link Standing}, which decides;
 * changes are logged once.
 *
 *   1. At most one probe is out. An ejected server is probed when its time is over, a suspect one soon, the others now and
 *      then, never all at the same moment.
 *   2. After `leave` it gets no new run; it is closed once its runs are over. `join` before that takes it back.
 *   3. After `stop` no timer, probe or run is left.
 */
import type { Replayer } from '@mvm-ci/engine';
import {
  asMvmError,
  mvmError,
  type ClaimedJob,
  type Logger,
  type MvmError,
  type Random,
  type Timer,
} from '@mvm-ci/protocol';
import { pause, type Clock } from '../../clock.ts';
import type { EngineMember, EngineState, HostPorts, HostRun, HostRunEnd } from '../../engine-host.ts';
import { poolLimits } from '../../limits.ts';
import type { Candidate } from './choice.ts';
import type { MemberTarget } from './member-target.ts';
import { Standing } from './standing.ts';

export interface PoolMemberOptions {
  readonly target: MemberTarget;
  readonly host: EngineMember;
  /** See {@link Standing}. */
  readonly startsWarm: boolean;
  /** Whether one more may be ejected for its runs. */
  readonly mayEject: () => boolean;
  /** It can't be used for now. */
  readonly onFailed: () => void;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  readonly logger: Logger;
}

export class PoolMember {
  readonly #options: PoolMemberOptions;
  readonly #standing: Standing;
  readonly #stopped = new AbortController();
  #target: MemberTarget;
  #runs = 0;
  /** Runs of other workers there, as of the last probe. */
  #foreignRuns = 0;
  #isLeaving = false;
  #timer: Timer | undefined;
  #isProbing = false;
  #isProbeWanted = false;
  #said: EngineState['state'] = 'new';
  #closed: Promise<void> | undefined;

  /** Begins to probe at once. */
  constructor(options: PoolMemberOptions) {
    this.#options = options;
    this.#target = options.target;
    this.#standing = new Standing(options);
    this.#probeIn(0);
  }

  get isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** Why its host takes no run though the server is well: its link is being made again, say. */
  get obstacle(): MvmError | undefined {
    return this.#options.host.obstacle;
  }

  /** Undefined while it serves nobody, or knows no replays. */
  get replayer(): Replayer | undefined {
    return this.candidate.isServing ? this.#options.host.replayer : undefined;
  }

  /** As a choice sees it. */
  get candidate(): Candidate {
    const nowMs = this.#nowMs;
    const standing = this.#standing;
    return {
      isServing: standing.phase.type === 'serving' && !this.#isLeaving && !this.isStopped && !this.obstacle,
      isSuspect: standing.isSuspect(nowMs),
      isBusy: standing.isBusy(nowMs),
      priority: this.#target.priority,
      weight: this.#target.weight,
      share: standing.share(nowMs),
      runs: this.#runs + this.#foreignRuns,
      runsMax: standing.reported?.runsMax ?? poolLimits.runsMaxAssumed,
    };
  }

  get state(): EngineState {
    const { phase, lastError, reported } = this.#standing;
    return {
      url: this.#target.id,
      state: this.#stateName,
      ejectedForMs: phase.type === 'ejected' ? Math.max(0, phase.untilMs - this.#nowMs) : 0,
      runs: this.#runs,
      runsMax: reported?.runsMax,
      lastError,
    };
  }

  /** Found (again), maybe with another priority or weight. */
  join(target: MemberTarget): void {
    this.#target = target;
    this.#isLeaving = false;
    this.#say();
  }

  /** No longer found. */
  leave(): void {
    this.#isLeaving = true;
    this.#say();
    if (this.#runs === 0) void this.stop();
  }

  /** Runs `job` there. */
  run(job: ClaimedJob, ports: HostPorts): HostRun {
    const run = this.#options.host.run(job, ports);
    let isGivenBack = false;
    this.#runs += 1;
    const over = (judge: () => void): void => {
      this.#runs -= 1;
      if (!this.isStopped) judge();
      if (this.#isLeaving && this.#runs === 0) void this.stop();
    };
    run.ended.then(
      (end) => over(() => this.#judge(end, isGivenBack)),
      (error: unknown) => over(() => this.#judgeFault(asMvmError(error))),
    );
    return {
      ended: run.ended,
      cancel: (reason) => run.cancel(reason),
      release: () => {
        isGivenBack = true;
        run.release();
      },
      get handOver() {
        if (!run.handOver) return undefined;
        return () => {
          isGivenBack = true;
          run.handOver?.();
        };
      },
      drop: () => run.drop(),
    };
  }

  /** Drops its runs and closes its host. Idempotent. */
  stop(): Promise<void> {
    this.#stopped.abort();
    this.#timer?.cancel();
    this.#closed ??= this.#options.host.stop();
    return this.#closed;
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  get #stateName(): EngineState['state'] {
    if (this.#isLeaving) return 'leaving';
    const { type } = this.#standing.phase;
    if (type !== 'serving') return type;
    return this.#standing.share(this.#nowMs) < 1 ? 'slow-start' : 'healthy';
  }

  #judge(end: HostRunEnd, isGivenBack: boolean): void {
    if (end.type === 'dropped') return;
    if (end.type === 'interrupted') return this.#judgeInterruption(end.error);
    if (end.outcome.type === 'released' && !isGivenBack) return this.#drains();
    this.#standing.runSucceeded();
  }

  #judgeInterruption(error: MvmError): void {
    if (error.code === 'ENGINE_BUSY') {
      this.#standing.runRefused(this.#nowMs, this.#options.random.unit());
      return;
    }
    if (isDraining(error)) return this.#drains();
    if (this.#standing.phase.type === 'draining') return;
    const deserved = this.#standing.runFailed(this.#nowMs, error);
    if (deserved && this.#options.mayEject()) this.#standing.ejectForRuns(this.#nowMs);
    this.#failed();
    this.#probeIn(0);
  }

  /** What the journal's holder threw is no fault of the server. */
  #judgeFault(error: MvmError): void {
    if (error.code === 'INTERNAL') this.#judgeInterruption(error);
  }

  #drains(): void {
    this.#standing.drains();
    this.#say();
    this.#probeIn(poolLimits.probeSuspectMs);
  }

  async #probe(): Promise<void> {
    if (this.#isProbing || this.isStopped) return;
    this.#isProbing = true;
    this.#isProbeWanted = false;
    await this.#ask();
    this.#isProbing = false;
    if (this.isStopped) return;
    this.#say();
    this.#probeIn(this.#isProbeWanted ? poolLimits.probeSuspectMs : this.#nextProbeMs);
  }

  async #ask(): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stopped.signal]);
    try {
      const late = pause(this.#options.clock, poolLimits.probeDeadlineMs, signal).then(() => undefined);
      const health = await Promise.race([this.#options.host.probe(signal), late]);
      if (!health) throw mvmError('DEADLINE_EXCEEDED', `no answer within ${poolLimits.probeDeadlineMs} ms`);
      this.#foreignRuns = Math.max(0, health.runs - this.#runs);
      this.#standing.probeSucceeded(this.#nowMs, health);
    } catch (thrown) {
      if (!this.isStopped) this.#probeFailed(asMvmError(thrown));
    } finally {
      over.abort();
    }
  }

  #probeFailed(error: MvmError): void {
    this.#foreignRuns = 0;
    if (isDraining(error)) return this.#standing.drains();
    this.#standing.probeFailed(this.#nowMs, error);
    this.#failed();
  }

  get #nextProbeMs(): number {
    const { clock, random } = this.#options;
    const { phase } = this.#standing;
    if (phase.type === 'ejected') return Math.max(0, phase.untilMs - clock.monotonicMs());
    if (this.#standing.isSuspect(clock.monotonicMs())) return poolLimits.probeSuspectMs;
    return poolLimits.probeMs * (0.8 + random.unit() * 0.4);
  }

  #probeIn(ms: number): void {
    if (this.isStopped) return;
    // The answer that is on its way was asked for before what is to be found out.
    if (this.#isProbing) this.#isProbeWanted = true;
    else if (this.#standing.phase.type !== 'ejected' || ms > 0) this.#startTimer(ms);
    else this.#startTimer(this.#nextProbeMs);
  }

  #startTimer(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, () => void this.#probe());
  }

  #failed(): void {
    this.#say();
    if (this.#standing.phase.type === 'ejected') this.#options.onFailed();
  }

  /** Logs the state if it is another one than before. */
  #say(): void {
    const { url, state, ejectedForMs, lastError } = this.state;
    const before = this.#said;
    if (state === before || this.isStopped) return;
    this.#said = state;
    const { logger } = this.#options;
    if (state === 'ejected')
      logger.warn({ url, ejectedForMs, err: lastError }, `engine server ${url} gets no jobs: ${lastError?.message}`);
    else if (state === 'healthy' && before === 'slow-start')
      logger.debug({ url }, `engine server ${url} has its full share`);
    else logger.info({ url, state, before }, `engine server ${url} is ${words[state]}`);
  }
}

const words: Readonly<Record<EngineState['state'], string>> = {
  new: 'not asked yet',
  healthy: 'healthy',
  'slow-start': 'healthy: it gets its share step by step',
  ejected: 'ejected',
  draining: 'draining: it gets no new jobs',
  leaving: 'gone from the pool: its jobs may end there',
};

/** A server that says it is about to end. */
const isDraining = ({ code, details }: MvmError): boolean => code === 'UNAVAILABLE' && details?.['draining'] === true;
