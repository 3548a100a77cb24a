/**
 * A worker's membership in its cluster: joins before the first call, and again whenever the control plane may have
 * forgotten it. To the rest of the worker it is the control plane itself.
 *
 *   1. At most one join is under way; all calls wait for it.
 *   2. A lost connection, or the answer NOT_JOINED, ends the membership: the next call joins first. So every new
 *      connection begins with a join.
 *   3. An unreachable control plane is tried for ever, with a log line now and then. A refusal (wrong token, banned,
 *      another protocol, another cluster, a role that runs no jobs) is final: `refused` settles, and all calls reject with it.
 */
import {
  agreeOnProtocol,
  mvmError,
  MvmError,
  peerProtocols,
  RetryLaterError,
  type BlobPartAnswer,
  type ClaimAnswer,
  type ErrandAnswer,
  type HeartbeatAnswer,
  type InboxAnswer,
  type ItemsAnswer,
  type JoinAnswer,
  type JournalAnswer,
  type JournalBatches,
  type SnapshotAnswer,
} from '@mvm-ci/protocol';
import { Backoff } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import type { CallOptions, ControlPlane } from './control-plane.ts';
import { workerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Random } from './random.ts';

export interface MembershipOptions {
  readonly controlPlane: ControlPlane;
  readonly incarnation: string;
  readonly token?: string | undefined;
  /** The cluster of the ticket: another one is refused, on both sides. */
  readonly cluster?: string | undefined;
  /** What the connection says while it finds none. */
  readonly unreachable?: (() => MvmError | undefined) | undefined;
  readonly name?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ends the tries to join. */
  readonly signal: AbortSignal;
}

/** A control plane that is joined before it is called. */
export class Membership implements Omit<ControlPlane, 'join' | 'leave'> {
  readonly #options: MembershipOptions;
  readonly #refused = Promise.withResolvers<MvmError>();
  #joining: Promise<JoinAnswer> | undefined;
  #loggedAtMs = -Infinity;
  #lastFailure: MvmError | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Resolves with the reason when the control plane turns this worker away for good. */
  get refused(): Promise<MvmError> {
    return this.#refused.promise;
  }

  /** Why the last try to join failed; where the control plane was looked for, when it could not be reached. */
  get lastFailure(): MvmError | undefined {
    return this.#options.unreachable?.() ?? this.#lastFailure;
  }

  /** Joins unless joined, and tells how the control plane wants to be spoken to. @throws CANCELLED, or the refusal */
  joined(): Promise<JoinAnswer> {
    this.#joining ??= this.#join();
    this.#joining.catch(() => undefined);
    return this.#joining;
  }

  /**
   * Says that this process has ended in order, if it is a member; `empty`: every job that it heard of has ended or was given back.
   * Never rejects: who ends waits for nobody.
   */
  async leave({ empty }: { readonly empty: boolean }): Promise<void> {
    const { controlPlane, incarnation, logger, clock } = this.#options;
    if (this.#joining === undefined) return;
    const over = new AbortController();
    const timer = clock.after(workerLimits.leaveMs, () => over.abort());
    try {
      await this.#joining;
      await controlPlane.leave({ incarnation, empty }, { signal: over.signal, deadlineMs: workerLimits.leaveMs });
    } catch (error) {
      logger.debug({ err: error }, 'the control plane does not know that this worker has left');
    } finally {
      timer.cancel();
    }
  }

  claim(...[request, options]: Parameters<ControlPlane['claim']>): Promise<ClaimAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.claim(request, options));
  }

  heartbeat(...[request, options]: Parameters<ControlPlane['heartbeat']>): Promise<HeartbeatAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.heartbeat(request, options));
  }

  append(...[request, options]: Parameters<ControlPlane['append']>): Promise<ItemsAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.append(request, options));
  }

  finish(...[request, options]: Parameters<ControlPlane['finish']>): Promise<ItemsAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.finish(request, options));
  }

  errand(...[request, options]: Parameters<ControlPlane['errand']>): Promise<ErrandAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.errand(request, options));
  }

  errandJournal(...[part, options]: Parameters<ControlPlane['errandJournal']>): Promise<JournalBatches> {
    return this.#call(options, (controlPlane) => controlPlane.errandJournal(part, options));
  }

  journal(...[lease, options]: Parameters<ControlPlane['journal']>): Promise<JournalAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.journal(lease, options));
  }

  inbox(...[request, options]: Parameters<ControlPlane['inbox']>): Promise<InboxAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.inbox(request, options));
  }

  snapshot(...[request, options]: Parameters<ControlPlane['snapshot']>): Promise<SnapshotAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.snapshot(request, options));
  }

  module(...[hash, options]: Parameters<ControlPlane['module']>): Promise<Uint8Array> {
    return this.#call(options, (controlPlane) => controlPlane.module(hash, options));
  }

  putBlob(...[part, options]: Parameters<ControlPlane['putBlob']>): Promise<BlobPartAnswer> {
    return this.#call(options, (controlPlane) => controlPlane.putBlob(part, options));
  }

  blob(...[request, options]: Parameters<ControlPlane['blob']>): Promise<Uint8Array> {
    return this.#call(options, (controlPlane) => controlPlane.blob(request, options));
  }

  async #call<T>(options: CallOptions, send: (controlPlane: ControlPlane) => Promise<T>): Promise<T> {
    const joining = this.joined();
    await untilAborted(joining, options.signal);
    try {
      return await send(this.#options.controlPlane);
    } catch (error) {
      if (endsMembership(error) && this.#joining === joining) this.#joining = undefined;
      if (error instanceof MvmError && error.code === 'NOT_JOINED')
        throw mvmError('UNAVAILABLE', 'the control plane has forgotten this worker: joining again');
      throw error;
    }
  }

  async #join(): Promise<JoinAnswer> {
    const { clock, random, signal } = this.#options;
    const backoff = new Backoff(clock, random);
    while (!signal.aborted) {
      const reminder = this.#remind();
      try {
        return await this.#tryToJoin();
      } catch (error) {
        this.#judge(error);
        await backoff.wait(signal);
      } finally {
        reminder?.cancel();
      }
    }
    throw mvmError('CANCELLED', 'the worker was stopped before it had joined');
  }

  async #tryToJoin(): Promise<JoinAnswer> {
    const { controlPlane, incarnation, token, cluster, name, signal } = this.#options;
    const answer = await controlPlane.join(
      {
        protocol: peerProtocols.oldest,
        protocolNewest: peerProtocols.newest,
        incarnation,
        roles: ['worker', 'admin'],
        ...(token && { token }),
        ...(cluster && { cluster }),
        ...(name && { name }),
      },
      { signal },
    );
    demandSpoken(answer);
    if (cluster !== undefined && answer.cluster !== cluster) throw ofAnotherCluster(cluster, answer.cluster);
    if (answer.role === 'publisher') throw runsNoJobs(answer.node);
    return answer;
  }

  // A try waits long for a connection: who watches the log should not wait as long for the reason.
  #remind(): Timer | undefined {
    const { clock, unreachable } = this.#options;
    return unreachable && clock.after(workerLimits.unreachableLogMs, () => this.#logFailure(unreachable()));
  }

  #judge(error: unknown): void {
    if (this.#options.signal.aborted) return;
    if (error instanceof MvmError && !isTransient(error)) {
      this.#refused.resolve(error);
      throw error;
    }
    if (error instanceof MvmError) this.#lastFailure = error;
    this.#logFailure(this.#options.unreachable?.() ?? error);
  }

  #logFailure(error: unknown): void {
    const { logger, clock } = this.#options;
    if (error === undefined || clock.monotonicMs() - this.#loggedAtMs < workerLimits.unreachableLogMs) return;
    this.#loggedAtMs = clock.monotonicMs();
    logger.warn({ err: error }, 'the control plane is not reachable: trying again');
  }
}

const demandSpoken = ({ protocol: spoken = 1 }: JoinAnswer): void => {
  const theirs = { name: 'the control plane', oldest: spoken, newest: spoken };
  agreeOnProtocol({ name: 'this node', ...peerProtocols }, theirs);
};

const ofAnotherCluster = (wanted: string, found: string): MvmError =>
  mvmError('TICKET_OF_ANOTHER_CLUSTER', `the ticket is for cluster ${wanted}, and this control plane is of ${found}`, {
    cluster: found,
    ticket_cluster: wanted,
  });

const runsNoJobs = (node: string): MvmError =>
  mvmError(
    'FORBIDDEN',
    `node ${node} is a publisher, which runs no jobs: a worker joins by a ticket of the role worker`,
    {
      role: 'publisher',
    },
  );

const isTransient = (error: MvmError): boolean => error instanceof RetryLaterError || error.code === 'INTERNAL';

const endings: ReadonlySet<string> = new Set([
  'CONNECTION_LOST',
  'DEADLINE_EXCEEDED',
  'NOT_JOINED',
  'FORBIDDEN',
  'UNAUTHENTICATED',
]);

const endsMembership = (error: unknown): boolean => error instanceof MvmError && endings.has(error.code);

const untilAborted = async <T>(work: Promise<T>, signal: AbortSignal): Promise<T> => {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(mvmError('CANCELLED', 'stopped while joining'));
  aborted.promise.catch(() => undefined);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
};
