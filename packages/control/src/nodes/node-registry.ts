/**
 * Which nodes belong to the cluster, what they may do, and when they were last seen. Owns a copy of the `nodes` table in
 * memory; joins, bans and names are commands, sightings are stored rarely and many at once.
 *
 * 1. A node that is not in the copy, or is banned there, is no member; the state machine says the same at joins and claims.
 * 2. A node whose silence was noted counts as gone until its next sign of life.
 */
import { mvmError, type NodeRole } from '@mvm-ci/protocol';
import type { Clock, Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { bannedError } from '../machine/ban.ts';
import type { NodeRecord } from '../machine/node-table.ts';
import type { Store } from '../store/store.ts';
import { tokenHash } from '../trust/token-hash.ts';
import { findNode } from './find-node.ts';

/** What the registry works with. */
export interface NodeRegistryParts {
  readonly store: Store;
  readonly clock: Clock;
  /** A node is alive while its last sign of life is younger than this. */
  readonly aliveMs: number;
}

/** A node that asks to be let in. */
export interface JoinWish {
  readonly node: string;
  readonly name: string;
  readonly token: string | null;
  /** @default any */
  readonly roles?: readonly NodeRole[] | undefined;
}

/** See the head of this file. */
export class NodeRegistry {
  readonly #parts: NodeRegistryParts;
  readonly #nodes: Map<string, NodeRecord> = new Map();
  readonly #seen: Set<string> = new Set();
  readonly #silent: Set<string> = new Set();
  readonly #listeners: Set<(node: string) => void> = new Set();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(parts: NodeRegistryParts) {
    this.#parts = parts;
  }

  /** Reads the nodes that joined before. */
  async load(): Promise<void> {
    const { nodes } = await this.#parts.store.read<'nodes'>({ type: 'nodes' });
    for (const node of nodes) this.#nodes.set(node.node, node);
  }

  /**
   * Lets a node in.
   *
   * @throws UNAUTHENTICATED, TICKET_REVOKED, TICKET_EXPIRED, TICKET_USED_UP without a token that lets it in, unless it joined
   * before; FORBIDDEN when it is banned; ROLE_CONFLICT
   */
  async join({ node, name, token, roles }: JoinWish): Promise<NodeRecord> {
    const at = this.#parts.clock.wallMs();
    const { nodesMax } = controlLimits;
    const hash = token === null ? null : tokenHash(token);
    const command = { type: 'join', at, node, name, tokenHash: hash, roles, nodesMax } as const;
    const joined = await this.#parts.store.apply<'join'>(command);
    return this.#keep(joined.node);
  }

  /** Shuts a node out and ends its leases. @throws NODE_NOT_FOUND, NODE_AMBIGUOUS */
  async ban(text: string, reason: string): Promise<NodeRecord> {
    const { node } = this.find(text);
    const at = this.#parts.clock.wallMs();
    return this.#keep((await this.#parts.store.apply<'ban-node'>({ type: 'ban-node', at, node, reason })).node);
  }

  /** What a worker has: what it says, and the tags of its ticket. */
  tagsOf(node: string, said: readonly string[]): readonly string[] {
    const { tags = [] } = this.#nodes.get(node) ?? {};
    return tags.length === 0 ? said : [...new Set([...tags, ...said])];
  }

  /** Lets a banned node in again. @throws NODE_NOT_FOUND, NODE_AMBIGUOUS */
  async allow(text: string): Promise<NodeRecord> {
    const { node } = this.find(text);
    const at = this.#parts.clock.wallMs();
    return this.#keep((await this.#parts.store.apply<'allow-node'>({ type: 'allow-node', at, node })).node);
  }

  /** @throws NODE_NOT_FOUND, NODE_AMBIGUOUS */
  async rename(text: string, name: string): Promise<NodeRecord> {
    const { node } = this.find(text);
    const at = this.#parts.clock.wallMs();
    return this.#keep((await this.#parts.store.apply<'rename-node'>({ type: 'rename-node', at, node, name })).node);
  }

  /** Whether the node has joined and is not banned. */
  isMember(node: string): boolean {
    return this.#nodes.get(node)?.bannedAt === null;
  }

  /** Notes a sign of life. @throws NOT_JOINED when the node is not one of the cluster's, FORBIDDEN when it is banned */
  demandMember(node: string): NodeRecord {
    const known = this.#nodes.get(node);
    if (known === undefined)
      throw mvmError('NOT_JOINED', `node ${node} is not a member: POST /peer/join comes first`, { node });
    if (known.bannedAt !== null) throw bannedError(known);
    this.#nodes.set(node, { ...known, seenAt: this.#parts.clock.wallMs() });
    this.#seen.add(node);
    this.#silent.delete(node);
    for (const listener of this.#listeners) listener(node);
    if (!this.#stopped) this.#timer ??= this.#parts.clock.after(controlLimits.nodeTouchMs, () => void this.#flush());
    return known;
  }

  /** The node with this id, the only one whose id begins so, or that has this name. @throws NODE_NOT_FOUND, NODE_AMBIGUOUS */
  find(text: string): NodeRecord {
    return this.#nodes.get(text) ?? findNode([...this.#nodes.values()], text, (node) => this.isAlive(node));
  }

  /** Whether a node was seen lately. */
  isAlive({ node, seenAt, bannedAt }: NodeRecord): boolean {
    return bannedAt === null && !this.#silent.has(node) && seenAt > this.#parts.clock.wallMs() - this.#parts.aliveMs;
  }

  /** A node gave no sign of life when it had to: its leases ran out, or it was asked. */
  noteSilence(node: string): void {
    this.#silent.add(node);
  }

  /** A node gave up what it had asked for at `askedAt`, or its connection broke; it may have come back by another one since. */
  noteHangUp(node: string, askedAt: number): void {
    const { seenAt = 0 } = this.#nodes.get(node) ?? {};
    if (seenAt <= askedAt) this.noteSilence(node);
  }

  /** Holders of `leases` that have been silent for `silentMs` at least: a lease may also run out because no heartbeat named it. */
  unseenFor(leases: readonly { readonly worker: string }[], silentMs: number): readonly string[] {
    const before = this.#parts.clock.wallMs() - silentMs;
    return [...new Set(leases.map(({ worker }) => worker))].filter(
      (node) => (this.#nodes.get(node)?.seenAt ?? Infinity) <= before,
    );
  }

  /** Waits up to `waitMs` for a sign of life of each. @returns those that gave none */
  async heardOf(nodes: ReadonlySet<string>, waitMs: number): Promise<ReadonlySet<string>> {
    const missing = new Set(nodes);
    const over = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(waitMs, () => over.resolve());
    const listener = (node: string): void => {
      if (missing.delete(node) && missing.size === 0) over.resolve();
    };
    this.#listeners.add(listener);
    await over.promise;
    this.#listeners.delete(listener);
    timer.cancel();
    return missing;
  }

  /** Workers that were seen lately. */
  countAlive(): number {
    return this.list().filter((node) => node.role === 'worker' && this.isAlive(node)).length;
  }

  /** All nodes, in the order in which they joined. */
  list(): readonly NodeRecord[] {
    return [...this.#nodes.values()];
  }

  /** Stores what is not stored yet. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#flush();
  }

  // The table learns of sightings late: the copy's is the newer one.
  #keep(stored: NodeRecord): NodeRecord {
    const kept = { ...stored, seenAt: Math.max(stored.seenAt, this.#nodes.get(stored.node)?.seenAt ?? 0) };
    this.#nodes.set(kept.node, kept);
    return kept;
  }

  async #flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const nodes = [...this.#seen].map((node) => ({ node, seenAt: this.#nodes.get(node)?.seenAt ?? 0 }));
    this.#seen.clear();
    if (nodes.length === 0) return;
    // A sighting that could not be stored is replaced by the next one.
    await this.#parts.store
      .apply<'touch-nodes'>({ type: 'touch-nodes', at: this.#parts.clock.wallMs(), nodes })
      .catch(() => undefined);
  }
}
