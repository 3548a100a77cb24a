/**
 * Calls to the control plane over one stream of frames (`docs/internals/peer-stream.md`). Owns the stream: opens it at the
 * first call, and again when it is lost or about to end.
 *
 *   1. A call is sent once. When the stream is lost it fails with CONNECTION_LOST, and its caller decides.
 *   2. A call whose deadline passes while nothing at all came over the stream ends the connection: it is dead, and the
 *      next call needs another.
 *   3. A control plane that doesn't know the stream is asked by plain requests, until the connection is lost.
 */
import { GiveUp, joinPieces, peerStreamLimits, systemClock, type FrameChannel } from '@mvm-ci/net';
import {
  bytesWithin,
  decodeCallAnswer,
  encodeCall,
  encodeCallInPieces,
  mvmError,
  MvmError,
  routePath,
  type CallAnswer,
  type CallRequest,
  type ConversationEvents,
} from '@mvm-ci/protocol';
import type { Clock } from './clock.ts';
import type { CallOptions } from './control-plane.ts';
import { workerLimits } from './limits.ts';
import type { Peer } from './peer-control-plane.ts';

/** An answer, with the bytes that followed it. */
export interface CallResult extends CallAnswer {
  readonly bytes: Uint8Array | undefined;
}

/** See the head of this file. */
export class CallStream {
  readonly #peer: Peer;
  readonly #clock: Clock;
  #channel: FrameChannel | undefined;
  #opening: Promise<FrameChannel | undefined> | undefined;
  #isUnknown = false;

  constructor(peer: Peer, clock: Clock) {
    this.#peer = peer;
    this.#clock = clock;
  }

  /**
   * Sends a call.
   *
   * @returns undefined when the control plane has no such stream
   * @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE
   */
  async call(request: CallRequest, options: CallOptions): Promise<CallResult | undefined> {
    if (this.#isUnknown) return undefined;
    const { signal, deadlineMs = workerLimits.requestMs } = options;
    const what = `the answer to ${request.method} ${request.route}`;
    const giveUp = new GiveUp({ clock: this.#clock, deadlineMs, signal, what });
    try {
      const channel = this.#usable() ?? (await giveUp.wait(this.#open()));
      return channel && (await this.#exchange(channel, request, giveUp));
    } finally {
      giveUp.settle();
    }
  }

  /** The connection was lost: another release may answer now. */
  forget(): void {
    this.#isUnknown = false;
  }

  async #exchange(channel: FrameChannel, request: CallRequest, giveUp: GiveUp): Promise<CallResult> {
    const message = await messageOf(request);
    const heardMs = channel.lastHeardMs;
    const exchange = new Exchange();
    const conversation = channel.open(exchange);
    void conversation.send(message);
    conversation.end();
    try {
      return await giveUp.wait(exchange.result);
    } catch (thrown) {
      conversation.close();
      const isSilent = channel.lastHeardMs === heardMs;
      if (giveUp.error?.code === 'DEADLINE_EXCEEDED' && isSilent) this.#abandon(channel);
      throw thrown;
    }
  }

  /** Rule 2. */
  #abandon(channel: FrameChannel): void {
    if (channel.isDraining) return;
    channel.close(mvmError('CONNECTION_LOST', 'no answer in time'));
    this.#peer.reconnect?.();
  }

  #usable(): FrameChannel | undefined {
    return this.#channel?.isDraining === false ? this.#channel : undefined;
  }

  #open(): Promise<FrameChannel | undefined> {
    this.#opening ??= this.#openOnce();
    return this.#opening;
  }

  async #openOnce(): Promise<FrameChannel | undefined> {
    try {
      const { openStreamMs: deadlineMs } = workerLimits;
      const options = { deadlineMs, limits: peerStreamLimits };
      this.#channel = await this.#peer.openChannel?.(routePath('peerStream'), options);
      return this.#channel;
    } catch (thrown) {
      if (!(thrown instanceof MvmError) || thrown.code !== 'ROUTE_NOT_FOUND') throw thrown;
      this.#isUnknown = true;
      return undefined;
    } finally {
      this.#opening = undefined;
    }
  }
}

/** A request with a long journal is encoded piece by piece. */
const messageOf = (request: CallRequest): Uint8Array | Promise<Uint8Array> => {
  const { longCallBytes } = workerLimits;
  if (bytesWithin(request.body) < longCallBytes) return encodeCall(request);
  return joinPieces([...encodeCallInPieces(request, longCallBytes)], systemClock);
};

/** Gathers one answer. */
class Exchange implements ConversationEvents {
  readonly #done = Promise.withResolvers<CallResult>();
  #head: CallAnswer | undefined;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;

  get result(): Promise<CallResult> {
    return this.#done.promise;
  }

  onMessage(message: Uint8Array): void {
    if (this.#head) return this.#gather(message);
    this.#head = readAnswer(message);
    if (this.#head.follows === undefined) this.#done.resolve({ ...this.#head, bytes: undefined });
  }

  onEnd(): void {
    const head = this.#head;
    if (!head) return this.#done.reject(unreadable('it is empty'));
    if (head.follows === undefined) return;
    const bytes = this.#bytes === 0 ? new Uint8Array(0) : joinPieces(this.#pieces, systemClock);
    this.#done.resolve(Promise.resolve(bytes).then((joined) => ({ ...head, bytes: joined })));
  }

  onClosed(error: MvmError | undefined): void {
    if (error) this.#done.reject(error);
  }

  #gather(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes > workerLimits.answerBytesMax) throw unreadable(`it has ${this.#bytes} bytes or more`);
    this.#pieces.push(piece);
  }
}

const readAnswer = (message: Uint8Array): CallAnswer => {
  try {
    return decodeCallAnswer(message);
  } catch (error) {
    throw unreadable(error instanceof Error ? error.message : String(error));
  }
};

const unreadable = (reason: string): MvmError =>
  mvmError('INTERNAL', `the control plane's answer can't be read: ${reason}`);
