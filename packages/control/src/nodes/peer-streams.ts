/**
 * The peer streams that are open, so that a stop can end them: each takes no new calls, finishes those under way, and is
 * over. Owns no stream.
 */
import type { FrameChannel } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';

/** See the head of this file. */
export class PeerStreams {
  readonly #open = new Map<string, Set<FrameChannel>>();
  #hasEnded = false;

  /** Whether `node` may open one. @throws UNAVAILABLE when the control plane stops, or it has too many */
  demandPlace(node: string): void {
    if (this.#hasEnded) throw mvmError('UNAVAILABLE', 'the control plane stops');
    if ((this.#open.get(node)?.size ?? 0) < controlLimits.peerStreamsMax) return;
    throw mvmError('UNAVAILABLE', `a node has at most ${controlLimits.peerStreamsMax} peer streams open`);
  }

  /** Follows a stream until its end. */
  add(node: string, channel: FrameChannel): void {
    const all = this.#open.get(node) ?? new Set();
    this.#open.set(node, all.add(channel));
    void channel.closed.finally(() => {
      all.delete(channel);
      if (all.size === 0) this.#open.delete(node);
    });
  }

  /** Ends all streams when their calls have, and lets nobody open one. Idempotent. */
  end(): void {
    this.#hasEnded = true;
    for (const channels of this.#open.values()) for (const channel of channels) channel.end();
  }
}
