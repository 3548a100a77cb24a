/**
 * The HTTP routes of a Flawless-compatible server (https://flawless.dev/docs/server-http-api): what is sent, and what an answer
 * means. Pure. The fourth route, `send-msg`, has no caller: jobs get no messages.
 *
 * What happens to a started workflow is known only from an answer in the server's own format. Any other answer (a proxy's
 * error page, say) leaves it open: `unclear`.
 */
import { linkHeader } from '@mvm-ci/protocol';
import { z } from 'zod';
import { foreignLimits } from '../../limits.ts';
import type { HttpAnswer, HttpRequest } from './http.ts';

/** A deployed module, as the server names it. */
export interface Deployed {
  readonly name: string;
  readonly version: string;
}

/** What an answer means. */
export type Reply<T> =
  | { readonly type: 'ok'; readonly value: T }
  /** The server's own no. */
  | { readonly type: 'refused'; readonly message: string }
  | { readonly type: 'unauthenticated'; readonly message: string }
  /** Not an answer of such a server. */
  | { readonly type: 'unclear'; readonly message: string };

/** A server's base URL and its token. */
export interface ForeignServer {
  readonly url: string;
  readonly token: string | undefined;
}

export const versionRequest = (server: ForeignServer): HttpRequest => ({
  method: 'GET',
  url: `${server.url}/version`,
  headers: authorization(server),
});

/** multipart/form-data (RFC 7578) with one part, `module`. */
export const deployRequest = (server: ForeignServer, wasm: Uint8Array): HttpRequest => {
  const boundary = `mvm-ci-${'-'.repeat(16)}-module`;
  const head = [
    `--${boundary}`,
    'Content-Disposition: form-data; name="module"; filename="module.wasm"',
    'Content-Type: application/wasm',
    '',
    '',
  ].join('\r\n');
  return {
    method: 'POST',
    url: `${server.url}/api/module/deploy`,
    headers: { ...authorization(server), 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), wasm, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
};

/** `input` is JSON text, and travels as a string that holds it. */
export const startRequest = (
  server: ForeignServer,
  { name, version }: Deployed,
  { workflow, input }: { readonly workflow: string; readonly input: string },
): HttpRequest => ({
  method: 'POST',
  url: `${server.url}/api/workflow/start`,
  headers: { ...authorization(server), 'content-type': 'application/json' },
  body: new TextEncoder().encode(JSON.stringify({ module: name, version, workflow, input })),
});

/** The server's version, and whether it speaks the link. */
export const readVersion = ({ status, headers, body }: HttpAnswer): Reply<{ version: string; hasLink: boolean }> => {
  const version = textOf(body).trim();
  if (status === 401 || status === 403) return unauthenticated(status, version);
  // A web page answers as well; a version is a short line.
  if (status !== 200 || version === '' || /[<\n{]/.test(version) || version.length > 100)
    return { type: 'unclear', message: `GET /version is answered with status ${status} and ${shown(version)}` };
  return { type: 'ok', value: { version, hasLink: headers[linkHeader] !== undefined } };
};

export const readDeployed = (answer: HttpAnswer): Reply<Deployed> =>
  readReply(answer, z.object({ name: z.string(), version: z.string() }));

/** The workflow's response as JSON text; null when it gave none. */
export const readStarted = (answer: HttpAnswer): Reply<string> => {
  const reply = readReply(answer, z.object({ id: z.string(), response: z.string().nullish() }));
  return reply.type === 'ok' ? { type: 'ok', value: jsonText(reply.value.response ?? 'null') } : reply;
};

const readReply = <T>({ status, body }: HttpAnswer, okSchema: z.ZodType<T>): Reply<T> => {
  const text = textOf(body);
  if (status === 401 || status === 403) return unauthenticated(status, text);
  const json = tryJson(text);
  const ok = z.object({ ok: okSchema }).safeParse(json);
  if (ok.success) return { type: 'ok', value: ok.data.ok };
  const no = z.union([z.object({ error: z.unknown() }), z.object({ err: z.unknown() })]).safeParse(json);
  if (no.success) return { type: 'refused', message: shownReason('error' in no.data ? no.data.error : no.data.err) };
  return { type: 'unclear', message: `status ${status} and ${shown(text)}` };
};

const authorization = ({ token }: ForeignServer): Readonly<Record<string, string>> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

const unauthenticated = (status: number, text: string): Reply<never> => ({
  type: 'unauthenticated',
  message: `status ${status} and ${shown(text)}`,
});

const textOf = (body: Uint8Array): string => new TextDecoder().decode(body);

/** The response is a string that holds JSON; one that doesn't is a string itself. */
const jsonText = (text: string): string => (tryJson(text) === undefined ? JSON.stringify(text) : text);

const tryJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const shownReason = (reason: unknown): string =>
  shown(typeof reason === 'string' ? reason : JSON.stringify(reason), '');

const shown = (text: string, quote = '"'): string => {
  const cut = text.length > foreignLimits.shownCharsMax ? `${text.slice(0, foreignLimits.shownCharsMax)}…` : text;
  return cut === '' ? 'an empty body' : `${quote}${cut}${quote}`;
};
