/**
 * The control plane over a peer connection: calls over one stream of frames, every answer parsed. Modules, and everything at a
 * control plane that has no such stream, by plain requests with MessagePack bodies.
 */
import { decodeContent, encodeContent, type ChannelLimits, type FrameChannel } from '@mvm-ci/net';
import {
  blobPartAnswerSchema,
  bodyTypeOf,
  claimAnswerSchema,
  decodeBody,
  decodeErrorBody,
  encodeBody,
  errandAnswerSchema,
  heartbeatAnswerSchema,
  itemsAnswerSchema,
  joinAnswerSchema,
  inboxAnswerSchema,
  journalAnswerSchema,
  journalBatchesSchema,
  leaveAnswerSchema,
  mvmError,
  parseAs,
  RetryLaterError,
  routePath,
  snapshotAnswerSchema,
  type CallRequest,
  type MvmError,
} from '@mvm-ci/protocol';
import { CallStream, type CallResult } from './call-stream.ts';
import type { Clock } from './clock.ts';
import type { CallOptions, ControlPlane } from './control-plane.ts';
import { workerLimits } from './limits.ts';

/** What a request takes besides its path. */
export interface PeerInit {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
}

/** A connection to the control plane that comes back by itself; `ReconnectingPeer` of `@mvm-ci/net` is one. */
export interface Peer {
  /** @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED */
  fetch(path: string, init: PeerInit): Promise<Response>;
  /** Opens a channel by a request. @throws the refusal, CONNECTION_LOST, DEADLINE_EXCEEDED @default plain requests only */
  openChannel?(
    path: string,
    options: { readonly deadlineMs: number; readonly limits: Partial<ChannelLimits> },
  ): Promise<FrameChannel>;
  /** Gives the connection up that is in use: it is dead. */
  reconnect?(): void;
  close(): Promise<void>;
  /** Whether bodies go compressed. @default true */
  readonly compresses?: boolean;
  /** Where no connection was found, and for how long it was tried; undefined while there is one. @default nothing to say */
  readonly unreachable?: MvmError | undefined;
}

interface Call<T> extends CallRequest {
  readonly schema: Parameters<typeof parseAs<T>>[0];
}

const messagePack = 'application/msgpack';

/**
 * The control plane at the other end of `peer`. `speaker`: the name under which it holds leases, where the connection does not
 * prove who it is (an operator's over HTTP).
 */
export const peerControlPlane = (peer: Peer, clock: Clock, speaker?: string): ControlPlane => {
  const signed = <T extends object>(body: T): T => (speaker === undefined ? body : { ...body, worker: speaker });
  const stream = new CallStream(peer, clock);
  const call = async <T>(what: Call<T>, options: CallOptions): Promise<T> => {
    const result = await stream.call(what, options);
    if (result) return answerOf(what, result);
    try {
      return await plain(peer, what, options);
    } catch (error) {
      if (error instanceof RetryLaterError) stream.forget();
      throw error;
    }
  };
  return {
    // A stranger has no stream: joining comes before it.
    join: (body, options) => plain(peer, { method: 'POST', route: 'join', body, schema: joinAnswerSchema }, options),
    leave: (body, options) =>
      call({ method: 'POST', route: 'leave', body: signed(body), schema: leaveAnswerSchema }, options),
    claim: (body, options) =>
      call({ method: 'POST', route: 'claim', body: signed(body), schema: claimAnswerSchema }, options),
    heartbeat: (body, options) =>
      call({ method: 'POST', route: 'heartbeat', body: signed(body), schema: heartbeatAnswerSchema }, options),
    append: (body, options) =>
      call({ method: 'POST', route: 'append', body: signed(body), schema: itemsAnswerSchema }, options),
    finish: (body, options) =>
      call({ method: 'POST', route: 'finish', body: signed(body), schema: itemsAnswerSchema }, options),
    journal: ({ job, epoch, tail = false }, options) =>
      call(
        {
          method: 'GET',
          route: 'peerJournal',
          parameter: job,
          search: signed({ epoch, ...(tail && { tail: 1 }) }),
          schema: journalAnswerSchema,
        },
        options,
      ),
    snapshot: (body, options) =>
      call({ method: 'POST', route: 'peerSnapshot', body: signed(body), schema: snapshotAnswerSchema }, options),
    inbox: (body, options) =>
      call({ method: 'POST', route: 'peerInbox', body: signed(body), schema: inboxAnswerSchema }, options),
    errand: (body, options) =>
      call({ method: 'POST', route: 'peerErrand', body: signed(body), schema: errandAnswerSchema }, options),
    errandJournal: ({ errand, from }, options) =>
      call(
        {
          method: 'GET',
          route: 'peerErrandJournal',
          parameter: errand,
          search: signed({ from }),
          schema: journalBatchesSchema,
        },
        options,
      ),
    putBlob: (body, options) =>
      call({ method: 'POST', route: 'peerBlobPart', body: signed(body), schema: blobPartAnswerSchema }, options),
    blob: async ({ job, hash, offset }, options) => {
      const path = routePath('peerBlob', { hash }, signed({ job, offset }));
      return read(await request(peer, { path }, options));
    },
    module: async (hash, options) => {
      const response = await request(peer, { path: routePath('peerModule', { hash }) }, options);
      return read(response);
    },
  };
};

/** The answer to a call. @throws the refusal; INTERNAL when it can't be read */
const answerOf = <T>(what: Call<T>, { status, body, follows, bytes }: CallResult): T => {
  if (status >= 400) throw decodeErrorBody(body, `the control plane answered ${what.route} with status ${status}`);
  return parsed(what, () => (bytes ? decodeBody(bytes, bodyTypeOf(follows)) : body));
};

const parsed = <T>({ schema, route }: Call<T>, body: () => unknown): T => {
  try {
    return parseAs(schema, body(), route);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INTERNAL', `the control plane's answer can't be read: ${reason}`, undefined, { cause: error });
  }
};

const plain = async <T>(peer: Peer, what: Call<T>, options: CallOptions): Promise<T> => {
  const { route, parameter = '', search } = what;
  const path = routePath(route, { job: parameter }, search);
  const response = await request(peer, { path, body: what.body }, options);
  const body = await read(response);
  return parsed(what, () => decodeBody(body, bodyTypeOf(response.headers.get('content-type'))));
};
const request = async (peer: Peer, what: { path: string; body?: unknown }, options: CallOptions): Promise<Response> => {
  const { signal, deadlineMs = workerLimits.requestMs } = options;
  const coding = peer.compresses === false ? asItIs : compressed;
  const response = await peer.fetch(what.path, { ...(await coding(what.body)), signal, deadlineMs });
  if (response.ok) return response;
  throw await refusal(response, what.path);
};

type Message = Pick<PeerInit, 'method' | 'headers' | 'body'>;

const asItIs = (body: unknown): Message => {
  if (body === undefined) return { method: 'GET', headers: { accept: messagePack } };
  const headers = { accept: messagePack, 'content-type': messagePack };
  return { method: 'POST', headers, body: encodeBody(body, messagePack) };
};

const compressed = async (body: unknown): Promise<Message> => {
  const { body: plainBody, method, headers } = asItIs(body);
  const accepting = { ...headers, 'accept-encoding': 'zstd' };
  if (plainBody === undefined) return { method, headers: accepting };
  const { bytes, encoding } = await encodeContent(plainBody);
  return { method, headers: { ...accepting, ...(encoding && { 'content-encoding': encoding }) }, body: bytes };
};

const refusal = async (response: Response, path: string): Promise<MvmError> => {
  const body = await read(response);
  const fallback = `the control plane answered ${path} with status ${response.status}`;
  try {
    return decodeErrorBody(decodeBody(body, bodyTypeOf(response.headers.get('content-type'))), fallback);
  } catch {
    return mvmError('INTERNAL', fallback);
  }
};

const read = async (response: Response): Promise<Uint8Array> => {
  const body = new Uint8Array(await response.arrayBuffer());
  return decodeContent(body, response.headers.get('content-encoding'), workerLimits.answerBytesMax);
};
