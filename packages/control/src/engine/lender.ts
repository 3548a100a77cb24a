/**
 * What the control plane does about the engine that it lends to its workers (option 2): it opens their links, and gives the
 * engine what it needs of the store. Owns the open links; the engine is a port.
 *
 *   1. What a run may touch, its worker's lease decides, in the store (I3).
 *   2. A lease's end reaches the engine with the commit, and before a waiting claim can hand out the job again.
 *   3. A control plane without an engine says so, and what to do.
 */
import { openFrameChannel, outgoingBody, systemClock, type FrameChannel } from '@mvm-ci/net';
import { mvmError, type LendEngine, type LenderCore, type LentEngine } from '@mvm-ci/protocol';
import type { LeaseKeeper } from '../lease/lease-keeper.ts';
import { controlLimits } from '../limits.ts';
import type { Effects } from '../machine/effects.ts';
import type { ModuleRegistry } from '../modules/module-registry.ts';
import type { JobQueue } from '../queue/job-queue.ts';
import type { JournalDesk } from '../queue/journal-desk.ts';
import type { ReplayDesk } from '../queue/replay-desk.ts';

export interface LenderParts {
  readonly queue: JobQueue;
  readonly journals: JournalDesk;
  readonly modules: ModuleRegistry;
  readonly leases: LeaseKeeper;
  readonly replays: ReplayDesk;
  /** Begins to lend an engine. @default there is none */
  readonly lend: LendEngine | undefined;
}

/** See the head of this file. */
export class Lender {
  readonly #engine: LentEngine | undefined;
  readonly #links = new Map<string, Set<FrameChannel>>();
  #hasEnded = false;

  constructor({ lend, ...parts }: LenderParts) {
    this.#engine = lend?.(lenderCore(parts));
  }

  /**
   * Opens a link of a worker over the two bodies of its request. @returns the body of the answer
   *
   * @throws CONFIG_INVALID when there is no engine; UNAVAILABLE when the control plane stops, or the node has too many links
   */
  open(node: string, body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const engine = this.#demand(node);
    const outgoing = outgoingBody();
    const duplex = outgoing.with(body);
    this.#keep(node, openFrameChannel({ duplex, side: 'server', clock: systemClock, accept: engine.accept(node) }));
    return outgoing.body;
  }

  /** Follows what a commit did to leases: rule 2. */
  follow({ released }: Effects): void {
    for (const lease of released) this.#engine?.leaseOver(lease);
  }

  /** Questions wait that no worker has taken: the engine here answers them, if there is one. */
  callEngine(): void {
    if (!this.#hasEnded) this.#engine?.errandsWait?.();
  }

  /** Ends all links; their runs are dropped. Idempotent. */
  end(): void {
    this.#hasEnded = true;
    for (const links of this.#links.values()) for (const link of links) link.close();
  }

  /** Ends all, before the store is closed. Idempotent. */
  stop(): void {
    this.end();
    this.#engine?.stop();
  }

  #demand(node: string): LentEngine {
    if (!this.#engine)
      throw mvmError(
        'CONFIG_INVALID',
        'this control plane lends no engine: start it with --engine on, or give its workers another FLAWLESS_URL (none: an engine in each worker)',
      );
    if (this.#hasEnded) throw mvmError('UNAVAILABLE', 'the control plane stops');
    if ((this.#links.get(node)?.size ?? 0) < controlLimits.engineLinksMax) return this.#engine;
    throw mvmError('UNAVAILABLE', `a node has at most ${controlLimits.engineLinksMax} engine links open`);
  }

  #keep(node: string, link: FrameChannel): void {
    const links = this.#links.get(node) ?? new Set();
    this.#links.set(node, links.add(link));
    void link.closed.then(() => this.#forget(node, link));
  }

  #forget(node: string, link: FrameChannel): void {
    const links = this.#links.get(node);
    links?.delete(link);
    if (links?.size === 0) this.#links.delete(node);
  }
}

const lenderCore = ({ queue, journals, modules, leases, replays }: Omit<LenderParts, 'lend'>): LenderCore => ({
  module: (hash) => modules.file(hash),
  journal: async (worker, request) => {
    const { attempt, batches, previous, snapshot } = await journals.held(worker, request);
    const inbox = await journals.heldInbox(worker, request, 0);
    return { attempt, batches, inbox, ...(previous && { previous }), ...(snapshot && { snapshot }) };
  },
  inbox: (worker, request, signal) => journals.awaitInbox(worker, request, signal),
  snapshot: (worker, request) => queue.keepSnapshot(worker, request),
  append: (worker, appends) => queue.append(worker, appends),
  finish: (worker, finishes) => queue.finish(worker, finishes),
  errands: replays,
  leaseLeftMs: (worker, lease) => leases.leftMs(worker, lease),
});
