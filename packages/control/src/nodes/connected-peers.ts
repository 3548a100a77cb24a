/**
 * The open connections of the peer plane: whose they are, and which paths they take. Owns no connection, only the time that
 * strangers get and the record of path changes; who is a member the registry says.
 *
 * 1. A connection whose peer is no member after `strangerMs` is closed, and so is one that comes while `strangersMax` are open.
 * 2. Paths are asked for, a few connections at a time: the calls that watch them abort the process.
 */
import type { PathSnapshot, PeerConnection } from '@mvm-ci/net';
import type { Clock, NodeConnectionView, Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';

/** What it works with. */
export interface ConnectedPeersParts {
  readonly clock: Clock;
  readonly isMember: (node: string) => boolean;
}

/** The part of a connection that is used here. */
export type WatchedConnection = Pick<PeerConnection, 'peerId' | 'isClosed' | 'closed' | 'paths' | 'close'>;

interface Watched {
  readonly connection: WatchedConnection;
  readonly connectedAt: number;
  readonly deadline: Timer;
  /** The path that was in use at the last look. */
  path: string | undefined;
  /** Its round trip then, in ms. */
  rttMs: number | undefined;
  pathChanges: number;
  pathChangedAt: number | null;
}

/** H3_NO_ERROR (RFC 9114 section 8.1): the text says the rest. */
const closeCode = 0x100;
const looksAtOnce = 20;

/** See the head of this file. */
export class ConnectedPeers {
  readonly #parts: ConnectedPeersParts;
  /** By node, in the order in which they came. */
  readonly #byNode: Map<string, Watched[]> = new Map();
  /** Connections that are still to be looked at in this round. */
  #round: Watched[] = [];
  #poll: Timer | undefined;
  #stopped = false;

  constructor(parts: ConnectedPeersParts) {
    this.#parts = parts;
  }

  /** Follows a connection until its end. */
  add(connection: WatchedConnection): void {
    const { clock, isMember } = this.#parts;
    const { peerId } = connection;
    if (!isMember(peerId) && this.#countStrangers() >= controlLimits.strangersMax) {
      return connection.close(closeCode, 'too many peers that have not joined: try again later');
    }
    const deadline = clock.after(controlLimits.strangerMs, () => this.#judge(connection));
    const watched = { connection, connectedAt: clock.wallMs(), deadline, path: undefined, rttMs: undefined };
    const others = this.#byNode.get(peerId) ?? [];
    this.#byNode.set(peerId, [...others, { ...watched, pathChanges: 0, pathChangedAt: null }]);
    void connection.closed.then(() => this.#remove(connection));
    this.#arm();
  }

  /** Closes all connections of a node. */
  expel(node: string, reason: string): void {
    for (const { connection } of this.#byNode.get(node) ?? []) connection.close(closeCode, reason);
  }

  /** The latest connection of a node, its paths as they are now; null when it has none. */
  view(node: string): NodeConnectionView | null {
    const watched = this.#byNode.get(node)?.at(-1);
    if (watched === undefined) return null;
    const paths = this.#look(watched);
    return {
      connected_at_ms: watched.connectedAt,
      paths: paths.map(({ kind, remote, rttMs, selected }) => ({ kind, remote, rtt_ms: rttMs, selected })),
      path_changes: watched.pathChanges,
      path_changed_at_ms: watched.pathChangedAt,
    };
  }

  /** Connections that are open. */
  get count(): number {
    return this.#all().length;
  }

  /** The latest connection of each node: its round trip at the last look, in ms. */
  roundTrips(): readonly { readonly node: string; readonly rttMs: number }[] {
    return [...this.#byNode].flatMap(([node, all]) => {
      const rttMs = all.at(-1)?.rttMs;
      return rttMs === undefined ? [] : [{ node, rttMs }];
    });
  }

  /** Looks no more. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#poll?.cancel();
    for (const { deadline } of this.#all()) deadline.cancel();
  }

  #all(): readonly Watched[] {
    return [...this.#byNode.values()].flat();
  }

  #countStrangers(): number {
    return [...this.#byNode.keys()].filter((node) => !this.#parts.isMember(node)).length;
  }

  #judge(connection: WatchedConnection): void {
    if (this.#parts.isMember(connection.peerId)) return;
    connection.close(closeCode, `a peer joins within ${controlLimits.strangerMs} ms`);
  }

  #remove(connection: WatchedConnection): void {
    const { peerId } = connection;
    const all = this.#byNode.get(peerId) ?? [];
    for (const watched of all) if (watched.connection === connection) watched.deadline.cancel();
    const left = all.filter((watched) => watched.connection !== connection);
    if (left.length === 0) this.#byNode.delete(peerId);
    else this.#byNode.set(peerId, left);
  }

  // The more connections there are, the oftener a few of them: one look at all would block the others. Not without end: thousands
  // that stand idle would cost their looks.
  #arm(): void {
    if (this.#stopped || this.#byNode.size === 0) return;
    const shares = Math.max(1, Math.ceil(this.#byNode.size / looksAtOnce));
    const { pathPollMs, pathLookMsMin } = controlLimits;
    this.#poll ??= this.#parts.clock.after(Math.max(pathPollMs / shares, pathLookMsMin), () => this.#lookAtSome());
  }

  #lookAtSome(): void {
    this.#poll = undefined;
    if (this.#round.length === 0) this.#round = [...this.#all()];
    for (const watched of this.#round.splice(0, looksAtOnce)) this.#look(watched);
    this.#arm();
  }

  #look(watched: Watched): readonly PathSnapshot[] {
    const paths = watched.connection.isClosed ? [] : watched.connection.paths();
    const used = paths.find(({ selected }) => selected);
    if (used === undefined) return paths;
    watched.rttMs = used.rttMs ?? undefined;
    const path = `${used.kind} ${used.remote}`;
    if (watched.path !== undefined && watched.path !== path) {
      watched.pathChanges += 1;
      watched.pathChangedAt = this.#parts.clock.wallMs();
    }
    watched.path = path;
    return paths;
  }
}
