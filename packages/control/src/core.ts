/**
 * The control plane without its listeners: store, queue, leases, nodes and modules, wired together. The API serves it, the
 * tests drive it.
 *
 * 1. Effects of a commit reach the lease keeper first, then the lent engine, the waiting claims, and event streams.
 * 2. `stop` ends what waits, then stores what is left, then closes the store.
 */
import { Lender } from './engine/lender.ts';
import { ClaimQueue } from './lease/claim-queue.ts';
import { LeaseKeeper } from './lease/lease-keeper.ts';
import { controlLimits, defaultPeriods, type LeasePeriods } from './limits.ts';
import { ModuleRegistry, type Admit } from './modules/module-registry.ts';
import { ConnectedPeers } from './nodes/connected-peers.ts';
import { NodeRegistry } from './nodes/node-registry.ts';
import { TicketOffice } from './nodes/ticket-office.ts';
import { ErrandBoard } from './queue/errand-board.ts';
import { Compactor } from './queue/compactor.ts';
import { ChangeFeed } from './queue/change-feed.ts';
import { JobQueue } from './queue/job-queue.ts';
import { outcomeHash } from './queue/outcome-hash.ts';
import { uuid, type Random } from './random.ts';
import { PeerStreams } from './nodes/peer-streams.ts';
import type { Clock, LendEngine } from '@mvm-ci/protocol';
import type { Effects } from './machine/effects.ts';
import type { StoredLease } from './store/query.ts';
import type { EffectListener, Store } from './store/store.ts';

/** What a core is made of. */
export interface CoreOptions {
  readonly openStore: (onEffects: EffectListener) => Promise<Store>;
  readonly clock: Clock;
  readonly random: Random;
  readonly admit: Admit;
  /** Lends an engine to the workers. @default none */
  readonly lend?: LendEngine | undefined;
  /** Gives back at once what is still held, and blames no job for it: its holders are gone by no fault of theirs. @default false */
  readonly givesBack?: boolean | undefined;
  /** @default defaultPeriods */
  readonly periods?: Partial<LeasePeriods> | undefined;
  /** How long a job must have been over before its journal is packed; infinity: never. @default controlLimits.compactAfterMs */
  readonly compactAfterMs?: number | undefined;
  /** @default controlLimits.pendingJobsMax */
  readonly pendingJobsMax?: number | undefined;
}

/** A running core. */
export interface Core {
  readonly cluster: string;
  readonly periods: LeasePeriods;
  readonly queue: JobQueue;
  readonly modules: ModuleRegistry;
  readonly nodes: NodeRegistry;
  readonly peers: ConnectedPeers;
  readonly streams: PeerStreams;
  readonly lender: Lender;
  readonly tickets: TicketOffice;
  readonly leases: LeaseKeeper;
  readonly claims: ClaimQueue;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends long polls and event streams with what they have. Idempotent. */
  endWaits(): void;
  /** Ends everything and closes the store. Idempotent. */
  stop(): Promise<void>;
}

/** Opens the store and everything that lives on it. @throws CONFIG_INVALID when a newer release wrote the database */
export const openCore = async (options: CoreOptions): Promise<Core> => {
  const { clock, random } = options;
  const periods: LeasePeriods = { ...defaultPeriods, ...options.periods };
  const listeners: EffectListener[] = [];
  const store = await options.openStore((effects: Effects) => {
    for (const listener of listeners) listener(effects);
  });
  const claims = claimQueue(store, clock);
  const nodes = new NodeRegistry({ store, clock, aliveMs: 3 * periods.idleHeartbeatMs });
  const leases = leaseKeeper({ store, clock, periods, claims, nodes });
  const { counters } = await store.read<'counters'>({ type: 'counters' });
  const feed = new ChangeFeed(clock, counters.change);
  const { pendingJobsMax = controlLimits.pendingJobsMax, compactAfterMs = controlLimits.compactAfterMs } = options;
  const { leaseMs } = periods;
  const errands = new ErrandBoard({ clock, random, callWorker: () => claims.nudge() });
  const queue = new JobQueue({ store, leases, claims, feed, errands, clock, random, leaseMs, pendingJobsMax });
  const modules = new ModuleRegistry({ store, clock, admit: options.admit });
  const lender = new Lender({ queue, modules, leases, lend: options.lend });
  listeners.push(
    (effects) => leases.follow(effects),
    (effects) => lender.follow(effects),
    (effects) => claims.follow(effects),
    (effects) => feed.follow(effects),
  );
  const { leases: stored } = await store.read<'leases'>({ type: 'leases' });
  leases.load(options.givesBack === true ? await givenBack(store, stored, clock) : stored);
  await nodes.load();
  const peers = new ConnectedPeers({ clock, isMember: (node) => nodes.isMember(node) });
  const tickets = new TicketOffice({ store, clock, random });
  const { cluster } = await store.apply<'found'>({ type: 'found', at: clock.wallMs(), cluster: uuid(random) });
  const compactor = new Compactor({ store, clock, afterMs: compactAfterMs });
  const streams = new PeerStreams();
  const endWaits = (): void => {
    lender.end();
    errands.stop();
    claims.stop();
    feed.stop();
    streams.end();
  };
  const stop = async (): Promise<void> => {
    endWaits();
    leases.stop();
    peers.stop();
    await nodes.stop();
    lender.stop();
    await compactor.stop();
    await store.close();
  };
  return {
    cluster,
    periods,
    queue,
    modules,
    nodes,
    peers,
    streams,
    lender,
    tickets,
    leases,
    claims,
    feed,
    clock,
    random,
    endWaits,
    stop,
  };
};

const leaseKeeper = (parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly periods: LeasePeriods;
  readonly claims: ClaimQueue;
  readonly nodes: NodeRegistry;
}): LeaseKeeper =>
  new LeaseKeeper({
    clock: parts.clock,
    periods: parts.periods,
    expire: (over) => {
      const silent = new Set(over.map(({ incarnation }) => incarnation));
      parts.claims.dismiss(({ incarnation }) => silent.has(incarnation));
      for (const node of parts.nodes.unseenFor(over, parts.periods.leaseMs)) parts.nodes.noteSilence(node);
      const leases = over.map(({ job, epoch }) => ({ job, epoch }));
      return parts.store.apply<'expire'>({ type: 'expire', at: parts.clock.wallMs(), leases });
    },
  });

/** Gives back all leases but those of bare claims. @returns those */
const givenBack = async (
  store: Store,
  leases: readonly StoredLease[],
  clock: Clock,
): Promise<readonly StoredLease[]> => {
  const outcome = { type: 'released' } as const;
  const hash = outcomeHash(outcome);
  for (const [worker, held] of Map.groupBy(
    leases.filter(({ bare }) => !bare),
    (lease) => lease.worker,
  )) {
    const finishes = held.map(({ job, epoch, attempt }) => ({ job, epoch, attempt, outcome, outcomeHash: hash }));
    await store.apply<'finish'>({ type: 'finish', at: clock.wallMs(), worker, finishes, jitter: 0 });
  }
  return leases.filter(({ bare }) => bare);
};

const claimQueue = (store: Store, clock: Clock): ClaimQueue =>
  new ClaimQueue({
    clock,
    claim: async ({ worker, incarnation, capacity }) => {
      const at = clock.wallMs();
      return (await store.apply<'claim'>({ type: 'claim', at, worker, incarnation, capacity })).jobs;
    },
    giveBack: ({ worker }, jobs) => {
      const outcome = { type: 'released' } as const;
      const finishes = jobs.map(({ job, epoch, attempt }) => ({
        job,
        epoch,
        attempt,
        outcome,
        outcomeHash: outcomeHash(outcome),
      }));
      return store.apply<'finish'>({ type: 'finish', at: clock.wallMs(), worker, finishes, jitter: 0 });
    },
  });
