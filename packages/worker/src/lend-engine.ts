/**
 * Lends an engine to the workers of a control plane (option 2): their runs read and write the journals where they are
 * stored, under the worker's own node and epoch (I3).
 *
 *   1. One run per job and epoch: a second one ends the first, and begins when all that the first has sent is answered.
 *   2. An effect starts only while the control plane's own keeper says that the worker holds the lease.
 *   3. What runs append at the same time goes to the store together, as a worker's shipper sends it.
 */
import type { JournalKeeper, KeptJournal, LinkServer } from '@mvm-ci/engine';
import {
  mvmError,
  type FinishOutcome,
  type LenderCore,
  type LendEngine,
  type LeaseRef,
  type RunMessage,
} from '@mvm-ci/protocol';
import { pause, type Clock } from './clock.ts';
import { HeldJournal } from './journal/held-journal.ts';
import { JournalShipper } from './journal/journal-shipper.ts';
import { workerLimits } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Random } from './random.ts';

export interface LendEngineOptions {
  /** The engine's places. Whoever made it stops it, before the control plane. */
  readonly links: Pick<LinkServer, 'accept'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a control plane calls to lend the engine behind `links`. */
export const lendEngine =
  (options: LendEngineOptions): LendEngine =>
  (core) => {
    const runs = new Map<string, LentRun>();
    return { accept: (node) => options.links.accept(new NodeKeeper({ ...options, core, node, runs })) };
  };

interface NodeKeeperOptions extends LendEngineOptions {
  readonly core: LenderCore;
  readonly node: string;
  /** The runs of all nodes, by lease. */
  readonly runs: Map<string, LentRun>;
}

/** A run, from its opening to the moment at which nothing of it is under way. */
interface LentRun {
  readonly onSuperseded: () => void;
  readonly settled: PromiseWithResolvers<void>;
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

  async open(run: RunMessage, onSuperseded: () => void): Promise<KeptJournal> {
    const { runs, node } = this.#options;
    const key = `${node}:${run.epoch}:${run.job}`;
    const [former, mine] = [runs.get(key), { onSuperseded, settled: Promise.withResolvers<void>() }];
    runs.set(key, mine);
    const over = (): void => {
      if (runs.get(key) === mine) runs.delete(key);
      mine.settled.resolve();
    };
    try {
      former?.onSuperseded();
      await former?.settled.promise;
      return await this.#openJournal(run, over);
    } catch (error) {
      over();
      throw error;
    }
  }

  async #openJournal(run: RunMessage, onOver: () => void): Promise<KeptJournal> {
    const { core, node, clock, random } = this.#options;
    const journal = new HeldJournal({
      // An earlier run of the same lease may have added to a journal that was empty: it is read in any case.
      claimed: { ...run, journalEntries: Math.max(1, run.journalEntries) },
      controlPlane: { journal: (lease) => core.journal(node, lease) },
      shipper: this.#shipper,
      clock,
      random,
      onRefused: () => undefined,
    });
    const { entries, sink } = await journal.open();
    return {
      entries,
      ports: { sink, mayStartEffect: (signal) => this.#mayStartEffect(run, signal) },
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

const settle = async (journal: HeldJournal, onOver: () => void): Promise<FinishOutcome | undefined> => {
  const settled = await journal.settle(mvmError('CONNECTION_LOST', 'the run is over'));
  onOver();
  return settled.type === 'finished' ? settled.outcome : undefined;
};
