/**
 * The control plane without its listeners: store, queue, leases, nodes and modules, wired together. The API serves it, the
 * tests drive it.
 *
 * 1. Effects of a commit reach the lease keeper first, then the lent engine, the waiting claims, and event streams.
 * 2. `stop` ends what waits, then stores what is left, then closes the store.
 */
import type { BlobFiles } from './blobs/blob-files.ts';
import { BlobStore } from './blobs/blob-store.ts';
import { BlobUploads } from './blobs/blob-uploads.ts';
import { Lender } from './engine/lender.ts';
import { ClaimQueue } from './lease/claim-queue.ts';
import { LeaseKeeper } from './lease/lease-keeper.ts';
import { aliveMs, controlLimits, defaultPeriods, type LeasePeriods } from './limits.ts';
import { ControlMetrics, type MetricSources } from './metrics/control-metrics.ts';
import { ModuleRegistry, type Admit } from './modules/module-registry.ts';
import { ConnectedPeers } from './nodes/connected-peers.ts';
import { DrainBoard } from './nodes/drain-board.ts';
import { Processes } from './nodes/processes.ts';
import { NodeRegistry } from './nodes/node-registry.ts';
import { TicketOffice } from './nodes/ticket-office.ts';
import { ErrandBoard } from './queue/errand-board.ts';
import { ChangeFeed } from './queue/change-feed.ts';
import { JobQueue } from './queue/job-queue.ts';
import { JournalDesk } from './queue/journal-desk.ts';
import { JobTrail } from './queue/job-trail.ts';
import { ReplayDesk } from './queue/replay-desk.ts';
import { outcomeHash } from './queue/outcome-hash.ts';
import type { Scheduler } from './queue/scheduler.ts';
import { Upkeep } from './queue/upkeep.ts';
import { noPost, type Post, type Webhooks } from './queue/webhooks.ts';
import { silentLogger, type Logger } from './logger.ts';
import type { Archive, Retention } from './queue/pruner.ts';
import { uuid, type Random } from './random.ts';
import { PeerStreams } from './nodes/peer-streams.ts';
import type { Clock, LendEngine, Tracer } from '@mvm-ci/protocol';
import type { StoredLease } from './store/query.ts';
import type { EffectListener, GroupListener, Store } from './store/store.ts';

/** What a core is made of. */
export interface CoreOptions {
  readonly openStore: (onEffects: EffectListener, onGroup: GroupListener) => Promise<Store>;
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
  /** Which jobs are kept after their end. @default all */
  readonly retention?: Retention | undefined;
  /** Where the others are written before they are forgotten. @default nowhere */
  readonly archive?: Archive | undefined;
  /** Where the bytes of blobs are. @default none are kept */
  readonly blobs?: BlobFiles | undefined;
  /** @default none */
  readonly logger?: Logger | undefined;
  /** Takes spans of what is done here. @default none are made */
  readonly tracer?: Tracer | undefined;
  /** Sends the requests of webhooks. @default nothing is sent */
  readonly post?: Post | undefined;
  /** @default controlLimits.pendingJobsMax */
  readonly pendingJobsMax?: number | undefined;
}

/** A running core. */
export interface Core {
  readonly cluster: string;
  readonly periods: LeasePeriods;
  readonly queue: JobQueue;
  readonly journals: JournalDesk;
  readonly replays: ReplayDesk;
  readonly scheduler: Scheduler;
  readonly webhooks: Webhooks;
  readonly modules: ModuleRegistry;
  readonly blobs: BlobStore;
  readonly uploads: BlobUploads;
  readonly nodes: NodeRegistry;
  readonly peers: ConnectedPeers;
  readonly processes: Processes;
  readonly drains: DrainBoard;
  readonly streams: PeerStreams;
  readonly lender: Lender;
  readonly tickets: TicketOffice;
  readonly leases: LeaseKeeper;
  readonly claims: ClaimQueue;
  readonly feed: ChangeFeed;
  readonly metrics: ControlMetrics;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends long polls and event streams with what they have. Idempotent. */
  endWaits(): void;
  /** Ends everything and closes the store. Idempotent. */
  stop(): Promise<void>;
}

type Follower = { readonly follow: EffectListener };

/** Also of those that come later. */
const allOf =
  (followers: readonly Follower[]): EffectListener =>
  (effects) => {
    for (const follower of followers) follower.follow(effects);
  };

/** Opens the store and everything that lives on it. @throws CONFIG_INVALID when a newer release wrote the database */
export const openCore = async (options: CoreOptions): Promise<Core> => {
  const { clock, random, pendingJobsMax = controlLimits.pendingJobsMax } = options;
  const periods: LeasePeriods = { ...defaultPeriods, ...options.periods };
  const followers: Follower[] = [];
  const metrics = new ControlMetrics();
  const store = await options.openStore(allOf(followers), (facts) => metrics.countGroup(facts));
  const claims = claimQueue(store, clock);
  const nodes = new NodeRegistry({ store, clock, aliveMs: aliveMs(periods) });
  const leases = leaseKeeper({ store, clock, periods, claims, nodes });
  const feed = await changeFeed(store, clock);
  const errands = errandBoard({ clock, random, claims }, () => lender.callEngine());
  const { leaseMs } = periods;
  const trail = new JobTrail({ tracer: options.tracer, logger: options.logger ?? silentLogger });
  const journals = new JournalDesk({ store, leases, feed });
  const queue = new JobQueue({
    store,
    leases,
    claims,
    feed,
    errands,
    journals,
    clock,
    random,
    leaseMs,
    pendingJobsMax,
    trail,
  });
  const upkeep = upkeepOf(options, { store, feed, pendingJobsMax, trail });
  const modules = new ModuleRegistry({ store, clock, admit: options.admit });
  const replays = new ReplayDesk({ store, journals, errands });
  const lender = new Lender({ queue, journals, modules, leases, replays, lend: options.lend });
  followers.push(leases, lender, claims, upkeep, feed, metrics);
  leases.load(await storedLeases(options, store));
  await nodes.load();
  await upkeep.start();
  const kept = await openBlobs(store, options);
  const peers = new ConnectedPeers({ clock, isMember: (node) => nodes.isMember(node) });
  const tickets = new TicketOffice({ store, clock, random });
  const { cluster } = await store.apply<'found'>({ type: 'found', at: clock.wallMs(), cluster: uuid(random) });
  const streams = new PeerStreams();
  metrics.read(metricSources({ store, queue, nodes, leases, claims, peers, clock }));
  const ends = endings({ lender, errands, claims, feed, streams, leases, upkeep, kept, peers, nodes, store });
  return {
    cluster,
    periods,
    queue,
    journals,
    replays,
    scheduler: upkeep.scheduler,
    webhooks: upkeep.webhooks,
    modules,
    ...kept,
    nodes,
    peers,
    ...boardsOfProcesses(),
    streams,
    lender,
    tickets,
    leases,
    claims,
    feed,
    metrics,
    clock,
    random,
    ...ends,
  };
};

interface Endings extends Pick<Core, 'lender' | 'claims' | 'feed' | 'streams' | 'leases' | 'peers' | 'nodes'> {
  readonly errands: ErrandBoard;
  readonly upkeep: Upkeep;
  readonly kept: KeptBlobs;
  readonly store: Store;
}

/** Rule 2. */
const endings = (parts: Endings): Pick<Core, 'endWaits' | 'stop'> => {
  const { lender, errands, claims, feed, streams, leases, upkeep, kept, peers, nodes, store } = parts;
  const endWaits = (): void => {
    lender.end();
    errands.stop();
    claims.stop();
    feed.stop();
    streams.end();
  };
  return {
    endWaits,
    stop: async () => {
      endWaits();
      leases.stop();
      await upkeep.stop();
      await closeBlobs(kept);
      peers.stop();
      await nodes.stop();
      lender.stop();
      await store.close();
    },
  };
};

const errandBoard = (
  { clock, random, claims }: Pick<Core, 'clock' | 'random' | 'claims'>,
  callEngine: () => void,
): ErrandBoard => new ErrandBoard({ clock, random, callWorker: () => claims.nudge('workflow'), callEngine });

const storedLeases = async ({ givesBack, clock }: CoreOptions, store: Store): Promise<readonly StoredLease[]> => {
  const { leases } = await store.read<'leases'>({ type: 'leases' });
  return givesBack === true ? givenBack(store, leases, clock) : leases;
};

const boardsOfProcesses = (): Pick<Core, 'processes' | 'drains'> => {
  const processes = new Processes();
  return { processes, drains: new DrainBoard(processes) };
};

const metricSources = (
  parts: Pick<Core, 'queue' | 'nodes' | 'leases' | 'claims' | 'peers' | 'clock'> & { readonly store: Store },
): MetricSources => {
  const { store, queue, nodes, leases, claims, peers, clock } = parts;
  return {
    stats: () => queue.stats(nodes.countAlive()),
    queues: async () => (await store.read<'queues'>({ type: 'queues' })).queues,
    nowMs: () => clock.wallMs(),
    leases: () => leases.count,
    claimsWaiting: () => claims.length,
    roundTrips: () => peers.roundTrips(),
    connections: () => peers.count,
  };
};

const leaseKeeper = (parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly periods: LeasePeriods;
  readonly claims: ClaimQueue;
  readonly nodes: NodeRegistry;
}): LeaseKeeper => {
  const { leaseMs, heartbeatMs } = parts.periods;
  // Its last word may have come after the last heartbeat, and before the next one that is missing.
  const silentMs = Math.max(heartbeatMs, leaseMs - 2 * heartbeatMs);
  return new LeaseKeeper({
    clock: parts.clock,
    periods: parts.periods,
    expire: (over) => {
      const silent = new Set(over.map(({ incarnation }) => incarnation));
      parts.claims.dismiss(({ incarnation }) => silent.has(incarnation));
      for (const node of parts.nodes.unseenFor(over, silentMs)) parts.nodes.noteSilence(node);
      const leases = over.map(({ job, epoch }) => ({ job, epoch }));
      return parts.store.apply<'expire'>({ type: 'expire', at: parts.clock.wallMs(), leases });
    },
  });
};

const upkeepOf = (
  options: CoreOptions,
  parts: {
    readonly store: Store;
    readonly feed: ChangeFeed;
    readonly pendingJobsMax: number;
    readonly trail: JobTrail;
  },
): Upkeep => {
  const { clock, random, archive, compactAfterMs = controlLimits.compactAfterMs } = options;
  const { retention = {}, logger = silentLogger, post = noPost } = options;
  return new Upkeep({ ...parts, clock, random, archive, compactAfterMs, retention, logger, post });
};

type KeptBlobs = Pick<Core, 'blobs' | 'uploads'>;

const openBlobs = async (
  store: Store,
  { clock, blobs: files, logger = silentLogger }: CoreOptions,
): Promise<KeptBlobs> => {
  const blobs = new BlobStore({ store, clock, files, logger });
  await blobs.start();
  return { blobs, uploads: new BlobUploads({ blobs, clock }) };
};

const closeBlobs = async ({ blobs, uploads }: KeptBlobs): Promise<void> => {
  await uploads.stop();
  await blobs.stop();
};

const changeFeed = async (store: Store, clock: Clock): Promise<ChangeFeed> => {
  const { counters } = await store.read<'counters'>({ type: 'counters' });
  return new ChangeFeed(clock, counters.change);
};

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
    claim: async ({ worker, incarnation, capacity, kinds, tags, queues }) => {
      const command = {
        type: 'claim',
        at: clock.wallMs(),
        worker,
        incarnation,
        capacity,
        kinds,
        tags,
        queues,
      } as const;
      return (await store.apply<'claim'>(command)).jobs;
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
