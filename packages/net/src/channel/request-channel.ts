/** A frame channel in the two bodies of a request to a peer. */
import {
  decodeBody,
  decodeErrorBody,
  mvmError,
  bodyTypeOf,
  type AcceptConversation,
  type MvmError,
} from '@mvm-ci/protocol';
import type { Clock } from '../clock.ts';
import type { PeerRequestInit } from '../http3/client.ts';
import type { ChannelLimits } from '../limits.ts';
import { systemClock } from '../system-clock.ts';
import { outgoingBody } from './body-duplex.ts';
import { openFrameChannel, type FrameChannel } from './frame-channel.ts';

/** How a channel is asked for. */
export interface RequestChannelOptions {
  /** Path of the request. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly accept?: AcceptConversation | undefined;
  readonly limits?: Partial<ChannelLimits> | undefined;
  /** Gives up waiting for the answer; the open channel is ended by its own `end` and `close`. */
  readonly signal?: AbortSignal | undefined;
  /** To the head of the answer. @default netLimits.requestMs */
  readonly deadlineMs?: number | undefined;
  /** @default the system's clock */
  readonly clock?: Clock | undefined;
}

/** Sends one request; `PeerClient` and `ReconnectingPeer` do. */
export type SendRequest = (path: string, init: PeerRequestInit) => Promise<Response>;

/**
 * Opens a channel by a POST.
 *
 * @throws the refusal that the peer answered with, and what `send` throws
 * @example const channel = await requestChannel((path, init) => peer.fetch(path, init), { path: '/peer/stream' });
 */
export const requestChannel = async (send: SendRequest, options: RequestChannelOptions): Promise<FrameChannel> => {
  const { path, headers, signal, deadlineMs, accept, limits, clock = systemClock } = options;
  const opening = new AbortController();
  const abort = (): void => opening.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  const outgoing = outgoingBody();
  try {
    const init = { method: 'POST', headers, body: outgoing.body, signal: opening.signal, deadlineMs };
    // How long the other side may be silent is the channel's affair.
    const response = await send(path, { ...init, bodyIdleMs: Infinity });
    if (!response.ok || !response.body) throw await refusal(response, path);
    return openFrameChannel({ duplex: outgoing.with(response.body), side: 'client', clock, accept, limits });
  } catch (thrown) {
    outgoing.close();
    throw thrown;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
};

const refusal = async (response: Response, path: string): Promise<MvmError> => {
  const fallback = `${path} was answered with status ${response.status}`;
  const body = new Uint8Array(await response.arrayBuffer());
  try {
    return decodeErrorBody(decodeBody(body, bodyTypeOf(response.headers.get('content-type'))), fallback);
  } catch {
    return mvmError('INTERNAL', fallback);
  }
};
