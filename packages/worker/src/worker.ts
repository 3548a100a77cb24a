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
import {
  limits,
  mvmError,
  type BlobPort,
  type ClaimAnswer,
  type ClaimedJob,
  type DrainOrder,
  type JoinAnswer,
  type MvmError,
  type Tracer,
} from '@mvm-ci/protocol';
import type { EngineStats } from '@mvm-ci/engine';
import { blobPort, type BlobPortOptions } from './blob-port.ts';
import { runClaimLoop, type ClaimWish } from './claim-loop.ts';
import { pause, type Clock } from './clock.ts';
import type { EngineHost, EngineState } from './engine-host.ts';
import { ErrandRunner } from './errand-runner.ts';
import { HeldJob, type HeldJobEnd, type HeldJobOptions } from './held-job.ts';
import { jobFacts, traceLease } from './lease-span.ts';
import { JournalShipper } from './journal/journal-shipper.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { workerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import { Membership } from './membership.ts';
import type { ControlPlane, OpenControlPlane } from './control-plane.ts';
import { localControlPlane, type LocalPeer } from './local-control-plane.ts';
import { moduleSource, type ModuleSource } from './module-source.ts';
import { peerControlPlane, type Peer } from './peer-control-plane.ts';
import type { Random } from './random.ts';
import { Slots } from './slots.ts';

/** What a worker needs. */
export interface WorkerOptions {
  /** The connection to the control plane, or one that is in this process; the worker closes it. */
  readonly peer: Peer | LocalPeer | OpenControlPlane;
  /** Makes the place where jobs run, given the control plane's modules; the worker stops it. */
  readonly openHost: (modules: ModuleSource, blobs: BlobPort) => EngineHost | Promise<EngineHost>;
  /** Jobs at once. @default workerLimits.slotsDefault */
  readonly slots?: number | undefined;
  /** What it has, for jobs that need it; the tags of its ticket count as well. @default nothing */
  readonly tags?: readonly string[] | undefined;
  /** It takes jobs of these queues only. @default all */
  readonly queues?: readonly string[] | undefined;
  /** The ticket's join token; not needed by a node that joined before. */
  readonly token?: string | undefined;
  /** The ticket's cluster: a control plane of another one is not worked for. @default any */
  readonly cluster?: string | undefined;
  /** Gives up when it has not joined by then. @default never */
  readonly joinMs?: number | undefined;
  /** What held jobs get when the control plane asks for a drain. @default workerLimits.drainGraceMs */
  readonly drainGraceMs?: number | undefined;
  /** For people. @default the node id's first ten digits */
  readonly name?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Takes a span of each job that is traced, for as long as it is held. @default none are made */
  readonly tracer?: Tracer | undefined;
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
  /** How the engine in this process does; undefined where it is elsewhere. */
  readonly engine: EngineStats | undefined;
  /** Why it takes no jobs now, in sentences; empty while it does. */
  readonly reasons: readonly string[];
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
   * Claims nothing more, finishes what ends within `graceMs`, gives the rest back once its requests in flight have ended or have had
   * `workerLimits.handOverMsMax`, and ends.
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
  const controlPlane = controlPlaneOf(peer, clock);
  const unreachable = (): MvmError | undefined => unreachableOf(peer);
  const common = { incarnation, token, cluster, name, clock, random, logger, unreachable };
  const membership = new Membership({ ...common, controlPlane, signal: joining.signal });
  try {
    const joined = await joinedInTime(membership, options, joining);
    const host = await options.openHost(...sourcesOf({ controlPlane: membership, clock, random }));
    return new RunningWorker(options, { membership, host, incarnation, joined, leave: joining });
  } catch (error) {
    await options.peer.close();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
};

const controlPlaneOf = (peer: WorkerOptions['peer'], clock: Clock): ControlPlane => {
  if ('controlPlane' in peer) return peer.controlPlane;
  return 'call' in peer ? localControlPlane(peer) : peerControlPlane(peer, clock);
};

const unreachableOf = (peer: WorkerOptions['peer']): MvmError | undefined =>
  'fetch' in peer ? peer.unreachable : undefined;

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

type Sources = BlobPortOptions & Parameters<typeof moduleSource>[0];

const sourcesOf = (sources: Sources): readonly [ModuleSource, BlobPort] => [moduleSource(sources), blobPort(sources)];

class RunningWorker implements Worker {
  readonly node: string;
  readonly cluster: string;
  readonly #options: WorkerOptions;
  readonly #parts: Parts;
  readonly #keeper: LeaseKeeper;
  readonly #shipper: JournalShipper;
  readonly #slots: Slots;
  readonly #holding: HeldJobOptions;
  readonly #jobs = new Set<HeldJob>();
  readonly #claiming = new AbortController();
  readonly #ending = new AbortController();
  readonly #closed = Promise.withResolvers<WorkerEnd>();
  /** Modules of the last jobs, the latest last: they are still at hand. */
  readonly #modules = new Set<string>();
  readonly #ended = { completed: 0, failed: 0, cancelled: 0, released: 0, suspended: 0, lost: 0, abandoned: 0 };
  readonly #onErrands: () => void;
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
    const onDrain = (order: DrainOrder): void => this.#drainAsAsked(order);
    const { signal } = this.#claiming;
    const errands = new ErrandRunner({ controlPlane, replayer: () => parts.host.replayer, logger, signal });
    this.#onErrands = () => errands.wake();
    const onQueries = this.#onErrands;
    this.#keeper = new LeaseKeeper({ controlPlane, incarnation, onDrain, onQueries, timing: joined, clock, logger });
    this.#holding = {
      controlPlane,
      host: parts.host,
      keeper: this.#keeper,
      shipper: this.#shipper,
      clock,
      random,
      logger,
    };
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
      engine: this.#parts.host.stats,
      reasons: this.#reasons(),
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
    const { incarnation, host } = this.#parts;
    const obstacle = (): MvmError | undefined => host.obstacle;
    const signal = this.#claiming.signal;
    const begin = (job: ClaimedJob, sentMs: number): void => this.#hold(job, sentMs);
    await runClaimLoop({
      controlPlane: { claim: (request, call) => this.#claimOnce(request, call) },
      incarnation,
      slots: this.#slots,
      wish: () => this.#wish(),
      worthwhile: () => this.#worthwhile(),
      obstacle,
      begin,
      onErrands: this.#onErrands,
      onDrain: (order) => this.#drainAsAsked(order),
      clock,
      random,
      logger,
      signal,
    });
  }

  async #claimOnce(...call: Parameters<Membership['claim']>): Promise<ClaimAnswer> {
    const answer = await this.#parts.membership.claim(...call);
    this.#keeper.heard();
    return answer;
  }

  #hold(given: ClaimedJob, sentMs: number): void {
    const { logger, tracer } = this.#options;
    this.#slots.take();
    this.#noteModule(given.module);
    this.#claimed += 1;
    if (given.journalEntries > 0) this.#resumed += 1;
    const { claimed, ended } = traceLease(given, { tracer, node: this.node });
    const { workflow, journalEntries } = claimed;
    const facts = jobFacts(claimed);
    logger.info({ ...facts, workflow, journalEntries }, journalEntries > 0 ? 'job resumed' : 'job claimed');
    const held = new HeldJob(claimed, sentMs, this.#holding);
    this.#jobs.add(held);
    if (this.#phase !== 'running') held.release();
    const over = (end: HeldJobEnd): void => {
      this.#jobs.delete(held);
      this.#ended[end] += 1;
      ended(end);
      logger.info({ ...facts, end }, `job ${end}`);
      this.#slots.give();
    };
    void held.ended.then(over);
  }

  #reasons(): readonly string[] {
    const { peer } = this.#options;
    const { host } = this.#parts;
    const ending = this.#phase === 'running' ? undefined : `the worker is ${this.#phase}`;
    const unreachable = unreachableOf(peer)?.message;
    const engine = host.obstacle?.message ?? host.stats?.fault;
    return [
      ...(ending === undefined ? [] : [ending]),
      ...(unreachable === undefined ? [] : [`no connection to the control plane: ${unreachable}`]),
      ...(engine === undefined ? [] : [`no engine: ${engine}`]),
    ];
  }

  #wish(): ClaimWish {
    const { tags, queues } = this.#options;
    const { handlers, replayer } = this.#parts.host;
    const wanted = { tags, queues, errands: replayer !== undefined };
    return handlers === undefined ? { ...wanted, modules: [...this.#modules] } : { ...wanted, handlers };
  }

  /** A host that wants many short jobs gets them in large claims: enough of them must be gone before it asks again. */
  #worthwhile(): number {
    const { wanted } = this.#parts.host;
    if (wanted === undefined) return 1;
    this.#slots.resize(wanted);
    return Math.max(1, Math.min(Math.floor(wanted / 2), workerLimits.claimJobsWorthwhile));
  }

  #noteModule(hash: string): void {
    if (hash === '') return;
    this.#modules.delete(hash);
    this.#modules.add(hash);
    const [eldest] = this.#modules;
    if (this.#modules.size > limits.claimModulesMax && eldest !== undefined) this.#modules.delete(eldest);
  }

  #drainAsAsked({ graceMs = this.#options.drainGraceMs }: DrainOrder): void {
    if (this.#draining) return;
    this.#options.logger.info({ graceMs }, 'the control plane asks this worker to drain');
    void this.drain({ graceMs });
  }

  async #drain(graceMs: number): Promise<void> {
    const { clock, logger } = this.#options;
    if (this.#phase === 'running') this.#phase = 'draining';
    this.#claiming.abort();
    logger.info({ held: this.#slots.taken, graceMs }, 'draining');
    await this.#emptyWithin(graceMs, clock);
    for (const job of this.#jobs) job.handOver();
    await this.#emptyWithin(workerLimits.handOverMsMax, clock);
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

  /** Whether the control plane may count every lease as never begun: one that was left to run out stands against its job. */
  #isEmpty(): boolean {
    const { abandoned, lost } = this.#ended;
    return this.#jobs.size === 0 && abandoned + lost === 0;
  }

  #end(end: WorkerEnd): Promise<void> {
    this.#stopping ??= this.#stop(end);
    return this.#stopping;
  }

  async #stop(end: WorkerEnd): Promise<void> {
    this.#phase = 'stopped';
    this.#claiming.abort();
    this.#ending.abort();
    const empty = this.#isEmpty();
    for (const job of this.#jobs) job.drop();
    this.#keeper.stop();
    this.#shipper.stop();
    this.#parts.leave.abort();
    await this.#parts.host.stop();
    await Promise.all([...this.#jobs].map((job) => job.ended));
    if (end.type !== 'refused') await this.#parts.membership.leave({ empty });
    await this.#options.peer.close();
    this.#closed.resolve(end);
  }
}
