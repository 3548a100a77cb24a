/**
 * A worker: joins, claims jobs for its slots, runs each in its engine host, and keeps their leases, until it is drained
 * or stopped. It owns the peer connection and the host, and ends both.
 *
 *   joining → running → draining → stopped
 *                    ↘──────────↗
 *
 *   1. No job is claimed outside `running`.
 *   2. After `closed` has settled nothing of the worker is left: no timer, no request, no run.
 *   3. `drain` and `stop` may be called at any time and any number of times.
 */
import { mvmError, type ClaimedJob, type JoinAnswer, type MvmError } from '@mvm-ci/protocol';
import { runClaimLoop } from './claim-loop.ts';
import { pause, type Clock } from './clock.ts';
import type { EngineHost, EngineState } from './engine-host.ts';
import { ErrandRunner } from './errand-runner.ts';
import { HeldJob, type HeldJobEnd } from './held-job.ts';
import { JournalShipper } from './journal/journal-shipper.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { workerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import { Membership } from './membership.ts';
import { localControlPlane, type LocalPeer } from './local-control-plane.ts';
import { moduleSource, type ModuleSource } from './module-source.ts';
import { peerControlPlane, type Peer } from './peer-control-plane.ts';
import type { Random } from './random.ts';
import { Slots } from './slots.ts';

/** What a worker needs. */
export interface WorkerOptions {
  /** The connection to the control plane, or one that is in this process; the worker closes it. */
  readonly peer: Peer | LocalPeer;
  /** Makes the place where jobs run, given the control plane's modules; the worker stops it. */
  readonly openHost: (modules: ModuleSource) => EngineHost | Promise<EngineHost>;
  /** Jobs at once. @default workerLimits.slotsDefault */
  readonly slots?: number | undefined;
  /** The ticket's join token; not needed by a node that joined before. */
  readonly token?: string | undefined;
  /** The ticket's cluster: a control plane of another one is not worked for. @default any */
  readonly cluster?: string | undefined;
  /** Gives up when it has not joined by then. @default never */
  readonly joinMs?: number | undefined;
  /** For people. @default the node id's first ten digits */
  readonly name?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Gives up joining; after that, use {@link Worker.drain} or {@link Worker.stop}. */
  readonly signal?: AbortSignal | undefined;
}

/** What a worker is doing, and what it has done. */
export interface WorkerState {
  readonly phase: 'running' | 'draining' | 'stopped';
  readonly slots: number;
  /** Jobs held now. */
  readonly held: number;
  /** Jobs claimed since the start. */
  readonly claimed: number;
  /** Claims that found a journal to go on with. */
  readonly resumed: number;
  /** How the jobs that are over ended. */
  readonly ended: Readonly<Record<HeldJobEnd, number>>;
  /** The engine servers of its pool; none with the other places for an engine. */
  readonly engines: readonly EngineState[];
}

/** Why a worker is over. */
export type WorkerEnd =
  | { readonly type: 'drained' }
  | { readonly type: 'stopped' }
  /** The control plane turned it away: banned, say. */
  | { readonly type: 'refused'; readonly error: MvmError };

/** A running worker. */
export interface Worker extends AsyncDisposable {
  /** Its node id, as the control plane knows it. */
  readonly node: string;
  readonly cluster: string;
  readonly state: WorkerState;
  /** Settles when the worker is over; never rejects. */
  readonly closed: Promise<WorkerEnd>;
  /**
   * Claims nothing more, finishes what ends within `graceMs`, gives the rest back, and ends.
   *
   * @default graceMs workerLimits.drainGraceMs
   */
  drain(options?: { readonly graceMs?: number | undefined }): Promise<void>;
  /** Ends at once: held jobs are dropped and go on elsewhere when their leases have run out. */
  stop(): Promise<void>;
}

/**
 * Joins the cluster behind `peer` and begins to work. Tries for ever, or for `joinMs`, while the control plane can't be reached.
 *
 * @throws UNAUTHENTICATED, TICKET_EXPIRED, TICKET_REVOKED, TICKET_USED_UP, TICKET_OF_ANOTHER_CLUSTER, ROLE_CONFLICT or
 * FORBIDDEN when the control plane refuses the ticket or the node
 * @throws CONTROL_PLANE_UNREACHABLE when `joinMs` are over
 * @throws CANCELLED when `signal` fires first
 */
export const startWorker = async (options: WorkerOptions): Promise<Worker> => {
  const joining = new AbortController();
  const abort = (): void => joining.abort();
  options.signal?.addEventListener('abort', abort, { once: true });
  if (options.signal?.aborted) abort();
  const incarnation = options.random.bytes(16).toHex();
  const { token, cluster, name, clock, random, logger } = options;
  const { peer } = options;
  const controlPlane = 'call' in peer ? localControlPlane(peer) : peerControlPlane(peer, clock);
  const unreachable = (): MvmError | undefined => ('call' in peer ? undefined : peer.unreachable);
  const common = { incarnation, token, cluster, name, clock, random, logger, unreachable };
  const membership = new Membership({ ...common, controlPlane, signal: joining.signal });
  try {
    const joined = await joinedInTime(membership, options, joining);
    const host = await options.openHost(moduleSource({ controlPlane: membership, clock, random }));
    return new RunningWorker(options, { membership, host, incarnation, joined, leave: joining });
  } catch (error) {
    await options.peer.close();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
};

const joinedInTime = async (
  membership: Membership,
  { joinMs, clock }: WorkerOptions,
  joining: AbortController,
): Promise<JoinAnswer> => {
  if (joinMs === undefined) return membership.joined();
  let late: MvmError | undefined;
  const timer = clock.after(joinMs, () => {
    const { lastFailure } = membership;
    const message = `the worker has not joined within ${joinMs / 1_000} s: ${lastFailure?.message ?? 'no answer came'}`;
    late = mvmError('CONTROL_PLANE_UNREACHABLE', message, lastFailure?.details);
    joining.abort();
  });
  try {
    return await membership.joined();
  } catch (error) {
    throw late ?? error;
  } finally {
    timer.cancel();
  }
};

interface Parts {
  readonly membership: Membership;
  readonly host: EngineHost;
  readonly incarnation: string;
  readonly joined: JoinAnswer;
  /** Ends the membership's tries to join again. */
  readonly leave: AbortController;
}

class RunningWorker implements Worker {
  readonly node: string;
  readonly cluster: string;
  readonly #options: WorkerOptions;
  readonly #parts: Parts;
  readonly #keeper: LeaseKeeper;
  readonly #shipper: JournalShipper;
  readonly #slots: Slots;
  readonly #jobs = new Set<HeldJob>();
  readonly #claiming = new AbortController();
  readonly #ending = new AbortController();
  readonly #closed = Promise.withResolvers<WorkerEnd>();
  readonly #ended = { completed: 0, failed: 0, cancelled: 0, released: 0, suspended: 0, lost: 0, abandoned: 0 };
  #claimed = 0;
  #resumed = 0;
  #phase: WorkerState['phase'] = 'running';
  #draining: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: WorkerOptions, parts: Parts) {
    const { clock, random, logger } = options;
    const { membership: controlPlane, incarnation, joined } = parts;
    this.#options = options;
    this.#parts = parts;
    this.node = joined.node;
    this.cluster = joined.cluster;
    this.#slots = new Slots(options.slots ?? workerLimits.slotsDefault);
    this.#shipper = new JournalShipper({ controlPlane, clock, random, logger });
    this.#keeper = new LeaseKeeper({ controlPlane, incarnation, timing: joined, clock, logger });
    void this.#claim();
    void controlPlane.refused.then((error) => this.#end({ type: 'refused', error }));
  }

  get state(): WorkerState {
    return {
      phase: this.#phase,
      slots: this.#slots.total,
      held: this.#slots.taken,
      claimed: this.#claimed,
      resumed: this.#resumed,
      ended: { ...this.#ended },
      engines: this.#parts.host.engines ?? [],
    };
  }

  get closed(): Promise<WorkerEnd> {
    return this.#closed.promise;
  }

  drain({ graceMs = workerLimits.drainGraceMs }: { readonly graceMs?: number | undefined } = {}): Promise<void> {
    this.#draining ??= this.#drain(graceMs);
    return this.#draining;
  }

  stop(): Promise<void> {
    return this.#end({ type: 'stopped' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #claim(): Promise<void> {
    const { clock, random, logger } = this.#options;
    const { membership: controlPlane, incarnation, host } = this.#parts;
    const obstacle = (): MvmError | undefined => host.obstacle;
    const signal = this.#claiming.signal;
    const begin = (job: ClaimedJob, sentMs: number): void => void this.#hold(job, sentMs);
    const errands = host.replayer && new ErrandRunner({ controlPlane, replayer: host.replayer, logger, signal });
    await runClaimLoop({
      controlPlane,
      incarnation,
      slots: this.#slots,
      obstacle,
      begin,
      onErrands: () => errands?.wake(),
      clock,
      random,
      logger,
      signal,
    });
  }

  async #hold(claimed: ClaimedJob, sentMs: number): Promise<void> {
    const { clock, random, logger } = this.#options;
    const { job, epoch, attempt, workflow, journalEntries } = claimed;
    this.#slots.take();
    this.#claimed += 1;
    if (journalEntries > 0) this.#resumed += 1;
    logger.info({ job, epoch, attempt, workflow, journalEntries }, journalEntries > 0 ? 'job resumed' : 'job claimed');
    const held = new HeldJob(claimed, sentMs, {
      controlPlane: this.#parts.membership,
      host: this.#parts.host,
      keeper: this.#keeper,
      shipper: this.#shipper,
      clock,
      random,
      logger,
    });
    this.#jobs.add(held);
    if (this.#phase !== 'running') held.release();
    const end = await held.ended;
    this.#jobs.delete(held);
    this.#ended[end] += 1;
    logger.info({ job, epoch, attempt, end }, `job ${end}`);
    this.#slots.give();
  }

  async #drain(graceMs: number): Promise<void> {
    const { clock, logger } = this.#options;
    if (this.#phase === 'running') this.#phase = 'draining';
    this.#claiming.abort();
    logger.info({ held: this.#slots.taken, graceMs }, 'draining');
    await this.#emptyWithin(graceMs, clock);
    for (const job of this.#jobs) job.release();
    await this.#emptyWithin(workerLimits.releaseMsMax, clock);
    await this.#end({ type: 'drained' });
  }

  /** Resolves when all jobs are over, when `ms` have passed, or when the worker is stopped. */
  async #emptyWithin(ms: number, clock: Clock): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#ending.signal]);
    await Promise.race([this.#slots.untilEmpty(signal), pause(clock, ms, signal)]);
    over.abort();
  }

  #end(end: WorkerEnd): Promise<void> {
    this.#stopping ??= this.#stop(end);
    return this.#stopping;
  }

  async #stop(end: WorkerEnd): Promise<void> {
    this.#phase = 'stopped';
    this.#claiming.abort();
    this.#ending.abort();
    for (const job of this.#jobs) job.drop();
    this.#keeper.stop();
    this.#shipper.stop();
    this.#parts.leave.abort();
    await this.#parts.host.stop();
    await Promise.all([...this.#jobs].map((job) => job.ended));
    await this.#options.peer.close();
    this.#closed.resolve(end);
  }
}
