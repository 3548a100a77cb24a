/** The control plane over a peer connection: protocol routes, MessagePack bodies, every answer parsed. */
import { decodeContent, encodeContent } from '@mvm-ci/net';
import {
  bodyTypeOf,
  claimAnswerSchema,
  decodeBody,
  decodeErrorBody,
  encodeBody,
  heartbeatAnswerSchema,
  itemsAnswerSchema,
  joinAnswerSchema,
  journalAnswerSchema,
  limits,
  mvmError,
  parseAs,
  routePath,
  type MvmError,
} from '@mvm-ci/protocol';
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
  close(): Promise<void>;
  /** Where no connection was found, and for how long it was tried; undefined while there is one. @default nothing to say */
  readonly unreachable?: MvmError | undefined;
}

interface Call<T> {
  readonly path: string;
  readonly body?: unknown;
  readonly schema: Parameters<typeof parseAs<T>>[0];
}

const messagePack = 'application/msgpack';
/** The largest answer: a whole journal, with room for its frame. */
const answerBytesMax = 2 * limits.journalBytesMax;

/** The control plane at the other end of `peer`. */
export const peerControlPlane = (peer: Peer): ControlPlane => ({
  join: (body, options) => call(peer, { path: routePath('join'), body, schema: joinAnswerSchema }, options),
  claim: (body, options) => call(peer, { path: routePath('claim'), body, schema: claimAnswerSchema }, options),
  heartbeat: (body, options) =>
    call(peer, { path: routePath('heartbeat'), body, schema: heartbeatAnswerSchema }, options),
  append: (body, options) => call(peer, { path: routePath('append'), body, schema: itemsAnswerSchema }, options),
  finish: (body, options) => call(peer, { path: routePath('finish'), body, schema: itemsAnswerSchema }, options),
  journal: ({ job, epoch }, options) =>
    call(peer, { path: routePath('peerJournal', { job }, { epoch }), schema: journalAnswerSchema }, options),
  module: async (hash, options) => {
    const response = await request(peer, { path: routePath('peerModule', { hash }) }, options);
    return read(response);
  },
});

const call = async <T>(peer: Peer, what: Call<T>, options: CallOptions): Promise<T> => {
  const response = await request(peer, what, options);
  const body = await read(response);
  try {
    return parseAs(what.schema, decodeBody(body, bodyTypeOf(response.headers.get('content-type'))), what.path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INTERNAL', `the control plane's answer can't be read: ${reason}`, undefined, { cause: error });
  }
};

const request = async (peer: Peer, what: { path: string; body?: unknown }, options: CallOptions): Promise<Response> => {
  const { signal, deadlineMs = workerLimits.requestMs } = options;
  const response = await peer.fetch(what.path, { ...(await message(what.body)), signal, deadlineMs });
  if (response.ok) return response;
  throw await refusal(response, what.path);
};

const message = async (body: unknown): Promise<Pick<PeerInit, 'method' | 'headers' | 'body'>> => {
  const headers = { accept: messagePack, 'accept-encoding': 'zstd' };
  if (body === undefined) return { method: 'GET', headers };
  const { bytes, encoding } = await encodeContent(encodeBody(body, messagePack));
  return {
    method: 'POST',
    headers: { ...headers, 'content-type': messagePack, ...(encoding && { 'content-encoding': encoding }) },
    body: bytes,
  };
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
  return decodeContent(body, response.headers.get('content-encoding'), answerBytesMax);
};
