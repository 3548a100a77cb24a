import {
  CancelledError,
  limits,
  type ClaimedJob,
  type ClaimRequest,
  type DrainOrder,
  type MvmError,
} from '@mvm-ci/protocol';
import { Backoff } from './backoff.ts';
import { pause, type Clock } from './clock.ts';
import type { ControlPlane } from './control-plane.ts';
import { workerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Random } from './random.ts';
import type { Slots } from './slots.ts';

/** What a worker wants of a claim, beside how many jobs. */
export type ClaimWish = Pick<ClaimRequest, 'tags' | 'queues' | 'modules' | 'handlers' | 'errands'>;

export interface ClaimLoopOptions {
  readonly controlPlane: Pick<ControlPlane, 'claim'>;
  readonly incarnation: string;
  readonly slots: Slots;
  /** Which jobs are wanted. */
  readonly wish: () => ClaimWish;
  /** How many slots must be free for a claim to be worth it. @default 1 */
  readonly worthwhile?: (() => number) | undefined;
  /** Why no job should be claimed now; see `EngineHost.obstacle`. */
  readonly obstacle: () => MvmError | undefined;
  /** Begins a claimed job, which takes a slot; `sentMs` is when the claim was sent, on the monotonic clock. */
  readonly begin: (job: ClaimedJob, sentMs: number) => void;
  /** Somebody wants the worker to drain. */
  readonly onDrain: (order: DrainOrder) => void;
  /** Errands wait for an idle worker. */
  readonly onErrands: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ends the loop: the long poll is given up. */
  readonly signal: AbortSignal;
}

/**
 * Claims jobs for the free slots, one request at a time, until `signal` fires. What was claimed by a request whose answer gets
 * lost is named by no heartbeat: it goes to others when its lease has run out, or when the worker leaves.
 */
export const runClaimLoop = async (options: ClaimLoopOptions): Promise<void> => {
  const { slots, logger, signal } = options;
  const backoff = new Backoff(options.clock, options.random);
  while (!signal.aborted) {
    await slots.untilFree(signal, options.worthwhile?.());
    await untilClear(options);
    try {
      if (!signal.aborted) await claim(options);
      backoff.reset();
    } catch (error) {
      if (signal.aborted || error instanceof CancelledError) continue;
      logger.debug({ err: error }, 'a claim failed: trying again');
      await backoff.wait(signal);
    }
  }
};

const claim = async (options: ClaimLoopOptions): Promise<void> => {
  const { controlPlane, incarnation, slots, wish, begin, onErrands, onDrain, clock, signal } = options;
  const sentMs = clock.monotonicMs();
  const { jobs, errands, drain } = await controlPlane.claim(
    { incarnation, capacity: Math.min(slots.free, limits.claimJobsMax), waitMs: workerLimits.claimWaitMs, ...wish() },
    { signal, deadlineMs: workerLimits.claimWaitMs + workerLimits.requestMs },
  );
  for (const job of jobs) begin(job, sentMs);
  if (errands) onErrands();
  if (drain) onDrain(drain);
};

/** Resolves when nothing stands against a claim, or `signal` fires. */
const untilClear = async ({ obstacle, clock, logger, signal }: ClaimLoopOptions): Promise<void> => {
  // What is over within the grace time (a connection that is being made) is not worth a line.
  let loggedAtMs = clock.monotonicMs() + workerLimits.obstacleGraceMs - workerLimits.unreachableLogMs;
  for (let error = obstacle(); error && !signal.aborted; error = obstacle()) {
    if (clock.monotonicMs() - loggedAtMs >= workerLimits.unreachableLogMs) {
      loggedAtMs = clock.monotonicMs();
      logger.warn({ err: error }, 'no job is claimed: there is no engine for it');
    }
    await pause(clock, workerLimits.obstacleCheckMs, signal);
  }
};
