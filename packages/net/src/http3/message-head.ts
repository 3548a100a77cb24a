/**
 * Heads of requests and responses: between field lines and what `fetch` knows (RFC 9114 section 4.3). What breaks the
 * rules is malformed, H3_MESSAGE_ERROR, and fails that request alone.
 */
import { Http3Error } from './error.ts';
import type { FieldLine } from './qpack/field-line.ts';

/** The head of a request. */
export interface RequestHead {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: Headers;
  /** From `content-length`. */
  readonly bodyBytes: number | undefined;
}

/** The head of a response. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: Headers;
  /** From `content-length`. */
  readonly bodyBytes: number | undefined;
}

/** Lines that belong to a connection of HTTP/1 and may not stand here (RFC 9114 section 4.2). */
const connectionLines: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const namePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const valuePattern = /^(?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?$/;
const methodPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const authorityPattern = /^[A-Za-z0-9._~\-[\]:%]+$/;
const pathPattern = /^\/[!-~]*$/;

/** The field lines of a request; lines of a connection of HTTP/1 are left out. */
export const requestLines = (head: Omit<RequestHead, 'bodyBytes'>): FieldLine[] => [
  [':method', head.method],
  [':scheme', head.scheme],
  [':authority', head.authority],
  [':path', head.path],
  ...headerLines(head.headers),
];

/** The field lines of a response; lines of a connection of HTTP/1 are left out. */
export const responseLines = (status: number, headers: Headers): FieldLine[] => [
  [':status', String(status)],
  ...headerLines(headers),
];

const headerLines = (headers: Headers): FieldLine[] =>
  [...headers].filter(([name]) => !connectionLines.has(name) && name !== 'host' && name !== 'te');

/** @throws Http3Error H3_MESSAGE_ERROR */
export const readRequestHead = (lines: readonly FieldLine[]): RequestHead => {
  const { pseudo, headers } = splitLines(lines, new Set([':method', ':scheme', ':authority', ':path']));
  const method = required(pseudo, ':method', methodPattern);
  const host = headers.get('host');
  const authority = pseudo.get(':authority') ?? host ?? '';
  if (host !== null && host !== authority) throw malformed('host and :authority differ');
  if (!authorityPattern.test(authority)) throw malformed(`no authority: "${authority}"`);
  if (method === 'CONNECT') throw malformed('CONNECT is not offered');
  return {
    method,
    scheme: required(pseudo, ':scheme', /^[a-z][a-z0-9+.-]*$/),
    authority,
    path: required(pseudo, ':path', pathPattern),
    headers,
    bodyBytes: contentLength(headers),
  };
};

/** @throws Http3Error H3_MESSAGE_ERROR */
export const readResponseHead = (lines: readonly FieldLine[]): ResponseHead => {
  const { pseudo, headers } = splitLines(lines, new Set([':status']));
  const status = Number(required(pseudo, ':status', /^[1-5]\d\d$/));
  if (status === 101) throw malformed('status 101 has no meaning here');
  return { status, headers, bodyBytes: contentLength(headers) };
};

/** The lines after a body. @throws Http3Error H3_MESSAGE_ERROR */
export const readTrailers = (lines: readonly FieldLine[]): Headers => splitLines(lines, new Set()).headers;

const splitLines = (
  lines: readonly FieldLine[],
  allowed: ReadonlySet<string>,
): { pseudo: Map<string, string>; headers: Headers } => {
  const pseudo = new Map<string, string>();
  const headers = new Headers();
  const cookies: string[] = [];
  let isPseudoOver = false;
  for (const [name, value] of lines) {
    if (!valuePattern.test(value)) throw malformed(`the value of "${name}" holds forbidden characters`);
    if (name.startsWith(':')) {
      if (isPseudoOver || !allowed.has(name) || pseudo.has(name)) throw malformed(`"${name}" may not stand here`);
      pseudo.set(name, value);
      continue;
    }
    isPseudoOver = true;
    checkHeader(name, value);
    if (name === 'cookie') cookies.push(value);
    else headers.append(name, value);
  }
  if (cookies.length > 0) headers.set('cookie', cookies.join('; '));
  return { pseudo, headers };
};

const checkHeader = (name: string, value: string): void => {
  if (!namePattern.test(name)) throw malformed(`"${name}" is no header name`);
  const isForeign = connectionLines.has(name) || (name === 'te' && value !== 'trailers');
  if (isForeign) throw malformed(`"${name}" belongs to HTTP/1`);
};

const required = (pseudo: ReadonlyMap<string, string>, name: string, pattern: RegExp): string => {
  const value = pseudo.get(name);
  if (value === undefined || !pattern.test(value)) throw malformed(`"${name}" is missing or wrong`);
  return value;
};

const contentLength = (headers: Headers): number | undefined => {
  const text = headers.get('content-length');
  if (text === null) return undefined;
  const lengths = new Set(text.split(/, */));
  const [first = ''] = lengths;
  if (lengths.size !== 1 || !/^\d{1,15}$/.test(first)) throw malformed(`no content length: "${text}"`);
  return Number(first);
};

/** The error of a message that breaks the rules (RFC 9114 section 4.1.2). */
export const malformed = (message: string): Http3Error => new Http3Error('H3_MESSAGE_ERROR', message);
