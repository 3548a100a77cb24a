/**
 * Which nodes belong to the cluster and when they were last seen. Owns a copy of the `nodes` table in memory; joins are
 * commands, sightings are stored rarely and many at once.
 */
import { mvmError, type NodeView } from '@mvm-ci/protocol';
import { createHash } from 'node:crypto';
import type { Clock, Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { NodeRecord } from '../machine/node-table.ts';
import type { Store } from '../store/store.ts';

/** What the registry works with. */
export interface NodeRegistryParts {
  readonly store: Store;
  readonly clock: Clock;
  /** A node is counted as a worker while its last sign of life is younger than this. */
  readonly aliveMs: number;
}

/** A node that asks to be let in. */
export interface JoinWish {
  readonly node: string;
  readonly name: string;
  readonly token: string | null;
}

/** The hash under which a token is stored. */
const tokenHash = (token: string): Uint8Array => new Uint8Array(createHash('sha256').update(token).digest());

/** See the head of this file. */
export class NodeRegistry {
  readonly #parts: NodeRegistryParts;
  readonly #nodes: Map<string, NodeRecord> = new Map();
  readonly #seen: Set<string> = new Set();
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

  /** Lets a node in. @throws UNAUTHENTICATED without a valid token, unless it joined before */
  async join({ node, name, token }: JoinWish): Promise<void> {
    const at = this.#parts.clock.wallMs();
    const { nodesMax } = controlLimits;
    const hash = token === null ? null : tokenHash(token);
    await this.#parts.store.apply<'join'>({ type: 'join', at, node, name, tokenHash: hash, nodesMax });
    this.#nodes.set(node, { node, name, joinedAt: this.#nodes.get(node)?.joinedAt ?? at, seenAt: at });
  }

  /** Stores a join token; only its hash is kept. */
  async createToken(token: string): Promise<void> {
    const at = this.#parts.clock.wallMs();
    await this.#parts.store.apply<'create-token'>({ type: 'create-token', at, hash: tokenHash(token) });
  }

  /** Notes a sign of life. @throws NOT_JOINED when the node is not one of the cluster's */
  demandJoined(node: string): void {
    const known = this.#nodes.get(node);
    if (known === undefined)
      throw mvmError('NOT_JOINED', `node ${node} is not a member: POST /peer/join comes first`, { node });
    this.#nodes.set(node, { ...known, seenAt: this.#parts.clock.wallMs() });
    this.#seen.add(node);
    if (!this.#stopped) this.#timer ??= this.#parts.clock.after(controlLimits.nodeTouchMs, () => void this.#flush());
  }

  /** Nodes that were seen lately. */
  countAlive(): number {
    const since = this.#parts.clock.wallMs() - this.#parts.aliveMs;
    return [...this.#nodes.values()].filter((node) => node.seenAt > since).length;
  }

  /** All nodes, with the number of jobs that each holds. */
  list(held: ReadonlyMap<string, number>): readonly NodeView[] {
    return [...this.#nodes.values()].map(({ node, name, joinedAt, seenAt }) => ({
      node,
      name,
      joined_at_ms: joinedAt,
      seen_at_ms: seenAt,
      jobs: held.get(node) ?? 0,
    }));
  }

  /** Stores what is not stored yet. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#flush();
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
