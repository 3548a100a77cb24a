/** Requests over the network of this machine, each on a connection of its own. */
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import { foreignLimits } from '../../limits.ts';
import type { HttpAnswer, HttpRequest, SendHttp } from './http.ts';

/** Node's own client. Its `fetch` would give up after 300 s without an answer, and not tell whether it has sent anything. */
export const systemHttp: SendHttp = async (request, { signal }) => {
  if (signal.aborted) throw cancelled(request);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const send = request.url.startsWith('https:') ? requestHttps : requestHttp;
  let isSent = false;
  const outgoing = send(request.url, {
    method: request.method,
    headers: { ...request.headers, 'content-length': String(request.body?.length ?? 0) },
    agent: false,
    signal,
  });
  outgoing.on('socket', (socket) => {
    socket.setKeepAlive(true, foreignLimits.keepAliveMs);
    socket.once('connect', () => (isSent = true));
  });
  outgoing.on('response', resolve);
  outgoing.on('error', reject);
  outgoing.end(request.body);
  try {
    return await readAnswer(await promise);
  } catch (error) {
    outgoing.destroy();
    throw signal.aborted ? cancelled(request) : failure(request, error, isSent);
  }
};

const readAnswer = async (message: IncomingMessage): Promise<HttpAnswer> => {
  const parts: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> = message;
  for await (const part of body) {
    length += part.length;
    if (length > foreignLimits.answerBytesMax) throw tooLong();
    parts.push(part);
  }
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const);
  return { status: message.statusCode ?? 0, headers: Object.fromEntries(headers), body: Buffer.concat(parts) };
};

const tooLong = (): MvmError =>
  mvmError('LIMIT_EXCEEDED', `an engine server's answer has at most ${foreignLimits.answerBytesMax} bytes`);

const cancelled = ({ method, url }: HttpRequest): MvmError => mvmError('CANCELLED', `${method} ${url} was given up`);

const failure = ({ method, url }: HttpRequest, error: unknown, isSent: boolean): unknown => {
  if (!(error instanceof Error) || ('code' in error && error.code === 'LIMIT_EXCEEDED')) return error;
  // An error of several addresses has a code and no message.
  const reason = error.message === '' && 'code' in error ? String(error.code) : error.message;
  return mvmError('CONNECTION_LOST', `${method} ${url} failed: ${reason}`, { isSent }, { cause: error });
};
