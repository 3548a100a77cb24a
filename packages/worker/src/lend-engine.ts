/**
 * Lends an engine to the workers of a control plane (option 2): their runs read and write the journals where they are
 * stored, under the worker's own node and epoch (I3).
 *
 *   1. Only the holder of a job's lease begins a run of it; which run has the job, `lent-runs.ts` owns.
 *   2. An effect starts only while the control plane's own keeper says that the worker holds the lease.
 *   3. What runs append at the same time goes to the store together, as a worker's shipper sends it.
 */
import type { JournalKeeper, KeptJournal, KeptRun, LinkServer, Replayer, Snapshot } from '@mvm-ci/engine';
import {
  mvmError,
  type FinishOutcome,
  type InboxAnswer,
  type LenderCore,
  type LendEngine,
  type LeaseRef,
  type RunMessage,
} from '@mvm-ci/protocol';
import { pause, type Clock } from './clock.ts';
import { ErrandRunner } from './errand-runner.ts';
import { HeldJournal } from './journal/held-journal.ts';
import { JournalShipper } from './journal/journal-shipper.ts';
import { staleLease } from './lease-keeper.ts';
import { LentRuns, type LentRun } from './lent-runs.ts';
import { workerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Random } from './random.ts';

export interface LendEngineOptions {
  /** The engine's places. Whoever made it stops it, before the control plane. */
  readonly links: Pick<LinkServer, 'accept'>;
  /** Makes what answers questions that no worker takes, given the control plane's modules. @default nobody does */
  readonly replayer?: ((module: LenderCore['module']) => Replayer) | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a control plane calls to lend the engine behind `links`. */
export const lendEngine =
  (options: LendEngineOptions): LendEngine =>
  (core) => {
    const runs = new LentRuns();
    const stopped = new AbortController();
    const errands = errandRunner(options, core, stopped.signal);
    return {
      accept: (node) => options.links.accept(new NodeKeeper({ ...options, core, node, runs })),
      leaseOver: (lease) => runs.leaseOver(lease),
      errandsWait: () => errands?.wake(),
      stop: () => {
        stopped.abort();
        runs.stop();
      },
    };
  };

const errandRunner = (
  { replayer, logger }: LendEngineOptions,
  core: LenderCore,
  signal: AbortSignal,
): ErrandRunner | undefined => {
  const { errands } = core;
  if (!replayer || !errands) return undefined;
  const controlPlane: ConstructorParameters<typeof ErrandRunner>[0]['controlPlane'] = {
    errand: (request) => Promise.resolve({ errand: errands.errand(request) }),
    errandJournal: ({ errand, from }) => errands.part(errand, from),
  };
  const lent = replayer((hash) => core.module(hash));
  return new ErrandRunner({ controlPlane, replayer: () => lent, logger, signal });
};

interface NodeKeeperOptions extends LendEngineOptions {
  readonly core: LenderCore;
  readonly node: string;
  /** The runs of all nodes. */
  readonly runs: LentRuns;
}

class NodeKeeper implements JournalKeeper {
  readonly #options: NodeKeeperOptions;
  readonly #shipper: JournalShipper;

  constructor(options: NodeKeeperOptions) {
    this.#options = options;
    const { core, node } = options;
    const controlPlane: ConstructorParameters<typeof JournalShipper>[0]['controlPlane'] = {
      append: async ({ appends }) => ({ results: await core.append(node, appends) }),
      finish: async ({ finishes }) => ({ results: await core.finish(node, finishes) }),
    };
    this.#shipper = new JournalShipper({ ...options, controlPlane });
  }

  module(hash: string): Promise<Uint8Array> {
    return this.#options.core.module(hash);
  }

  async open(request: RunMessage, run: KeptRun): Promise<KeptJournal> {
    const { core, node, runs } = this.#options;
    // Rule 1: nobody's run gives way to a stranger's.
    if (core.leaseLeftMs(node, request) === undefined) throw staleLease(request);
    const journal = this.#journalOf(request);
    const lent: LentRun = { lease: request, journal, run };
    const giveUp = (): void => journal.lose();
    run.signal.addEventListener('abort', giveUp, { once: true });
    try {
      await runs.enter(lent);
      return await this.#openJournal(request, journal, () => runs.leave(lent));
    } catch (error) {
      runs.leave(lent);
      throw error;
    } finally {
      // From here on the run's end settles the journal.
      run.signal.removeEventListener('abort', giveUp);
    }
  }

  #journalOf(request: RunMessage): HeldJournal {
    const { core, node, clock, random, logger } = this.#options;
    return new HeldJournal({
      // An earlier run of the same lease may have added to a journal that was empty: it is read in any case.
      claimed: { ...request, journalEntries: Math.max(1, request.journalEntries) },
      controlPlane: {
        journal: (lease) => core.journal(node, lease),
        inbox: (wanted, { signal }) => core.inbox?.(node, wanted, signal) ?? untilAborted(signal),
        ...(core.snapshot && { snapshot: core.snapshot.bind(core, node) }),
      },
      logger,
      shipper: this.#shipper,
      clock,
      random,
      onRefused: () => undefined,
    });
  }

  async #openJournal(request: RunMessage, journal: HeldJournal, onOver: () => void): Promise<KeptJournal> {
    const { entries, leftOut, inbox, snapshot, sink } = await journal.open({ mayLeaveOut: true });
    const keeps = this.#options.core.snapshot !== undefined;
    return {
      entries,
      leftOut,
      inbox,
      snapshot,
      ports: {
        sink,
        mayStartEffect: (signal) => this.#mayStartEffect(request, signal),
        inbox: (after, signal) => journal.inbox(after, signal),
        ...(keeps && { saveSnapshot: (state: Snapshot) => journal.saveSnapshot(state) }),
      },
      get refusal() {
        return journal.refusal;
      },
      settle: () => settle(journal, onOver),
    };
  }

  #mayStartEffect(lease: LeaseRef, signal: AbortSignal): boolean | Promise<boolean> {
    const leftMs = this.#options.core.leaseLeftMs(this.#options.node, lease);
    if (signal.aborted || leftMs === undefined) return false;
    return leftMs > 0 || this.#whenRenewed(lease, signal);
  }

  /** The keeper is about to judge the lease, or a heartbeat to renew it. */
  async #whenRenewed(lease: LeaseRef, signal: AbortSignal): Promise<boolean> {
    await pause(this.#options.clock, workerLimits.lentLeaseCheckMs, signal);
    return this.#mayStartEffect(lease, signal);
  }
}

/** A control plane without inboxes: nothing ever arrives. */
const untilAborted = (signal: AbortSignal): Promise<InboxAnswer> => {
  const { promise, resolve } = Promise.withResolvers<InboxAnswer>();
  signal.addEventListener('abort', () => resolve({ items: [] }), { once: true });
  return promise;
};

const settle = async (journal: HeldJournal, onOver: () => void): Promise<FinishOutcome | undefined> => {
  const settled = await journal.settle(mvmError('CONNECTION_LOST', 'the run is over'));
  onOver();
  return settled.type === 'finished' ? settled.outcome : undefined;
};
