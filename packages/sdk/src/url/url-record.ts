/**
 * The URL parser and serialiser (URL standard, sections 4.1 to 4.5). The standard describes a machine over code points;
 * this cuts the text at its delimiters instead, which an interpreted guest does some ten times faster. The tests hold
 * it against Node's own parser.
 */
import { parseHost } from './host.ts';
import { encodeSets, percentEncode } from './percent.ts';

/** A parsed URL. */
export interface UrlRecord {
  readonly scheme: string;
  readonly username: string;
  readonly password: string;
  /** null: there is no authority. */
  readonly host: string | null;
  /** null: none, or the scheme's own. */
  readonly port: number | null;
  /** Segments, or the text of an opaque path. */
  readonly path: readonly string[] | string;
  readonly query: string | null;
  readonly fragment: string | null;
}

const defaultPorts = new Map<string, number | null>([
  ['http', 80],
  ['https', 443],
  ['ws', 80],
  ['wss', 443],
  ['ftp', 21],
  ['file', null],
]);

/** Whether the scheme is one of the standard's special ones. */
export const isSpecial = (scheme: string): boolean => defaultPorts.has(scheme);

/** The text before `?` and `#`, and the two parts after them, encoded. */
interface Cut {
  readonly rest: string;
  readonly query: string | null;
  readonly fragment: string | null;
}

/** The URL in `text`, relative to `base`; undefined when it isn't one. */
export const parseUrl = (text: string, base?: UrlRecord): UrlRecord | undefined => {
  const clean = text
    .toWellFormed()
    .replace(/^[\0-\x20]+|[\0-\x20]+$/g, '')
    .replace(/[\t\n\r]/g, '');
  const match = /^([a-z][a-z\d+.-]*):/i.exec(clean);
  if (!match) return base ? parseRelative(cut(clean, base.scheme), base) : undefined;
  const scheme = (match[1] ?? '').toLowerCase();
  return parseAbsolute(cut(clean.slice(match[0].length), scheme), scheme, base);
};

const cut = (text: string, scheme: string): Cut => {
  const [beforeFragment, fragment] = splitOnce(text, '#');
  const [rest, query] = splitOnce(beforeFragment, '?');
  return {
    rest,
    query: query === null ? null : encodeQuery(query, scheme),
    fragment: fragment === null ? null : percentEncode(fragment, encodeSets.fragment),
  };
};

const splitOnce = (text: string, at: string): readonly [before: string, after: string | null] => {
  const index = text.indexOf(at);
  return index < 0 ? [text, null] : [text.slice(0, index), text.slice(index + 1)];
};

/** A query as it is written in a URL of this scheme. */
export const encodeQuery = (query: string, scheme: string): string =>
  percentEncode(query, isSpecial(scheme) ? encodeSets.specialQuery : encodeSets.query);

const parseAbsolute = (cutText: Cut, scheme: string, base?: UrlRecord): UrlRecord | undefined => {
  const { rest } = cutText;
  if (scheme === 'file') return parseFile(cutText, base?.scheme === 'file' ? base : undefined);
  if (isSpecial(scheme)) {
    if (base?.scheme === scheme && !rest.startsWith('//')) return parseRelative(cutText, base);
    return withAuthority({ ...cutText, rest: rest.replace(/^[/\\]+/, '') }, scheme);
  }
  if (rest.startsWith('//')) return withAuthority({ ...cutText, rest: rest.slice(2) }, scheme);
  const { query, fragment } = cutText;
  const path = rest.startsWith('/') ? parsePath(rest.slice(1), scheme) : opaquePath(cutText);
  return { ...noAuthority, scheme, path, query, fragment };
};

// A space at the end would be lost when the URL is written and read again; before a query it is kept (section 4.4).
const opaquePath = ({ rest, query, fragment }: Cut): string =>
  percentEncode(query === null && fragment === null ? rest : rest.replace(/ $/, '%20'), encodeSets.control);

const noAuthority = { username: '', password: '', host: null, port: null } as const;

const parseRelative = (cutText: Cut, base: UrlRecord): UrlRecord | undefined => {
  const { rest, query, fragment } = cutText;
  const { scheme } = base;
  if (typeof base.path === 'string') {
    return rest === '' && query === null && fragment !== null ? { ...base, fragment } : undefined;
  }
  return scheme === 'file' ? parseFile(cutText, base) : parseBelow(cutText, base, base.path);
};

/** A reference of any scheme but `file` below a base with a path of segments. */
const parseBelow = (cutText: Cut, base: UrlRecord, basePath: readonly string[]): UrlRecord | undefined => {
  const { rest, query, fragment } = cutText;
  const { scheme } = base;
  if (rest === '') return { ...base, query: query ?? base.query, fragment };
  const slashes = (isSpecial(scheme) ? /^[/\\]*/ : /^\/*/).exec(rest)?.[0].length ?? 0;
  if (slashes >= 2) return withAuthority({ ...cutText, rest: rest.slice(isSpecial(scheme) ? slashes : 2) }, scheme);
  const above = slashes === 1 ? [] : basePath.slice(0, -1);
  return { ...base, path: parsePath(rest.slice(slashes), scheme, above), query, fragment };
};

// File URLs without the standard's drive letters: a workflow has no files.
const parseFile = (cutText: Cut, base?: UrlRecord): UrlRecord | undefined => {
  const { rest, query, fragment } = cutText;
  if (/^[/\\]{2}/.test(rest)) return fileWithHost({ ...cutText, rest: rest.slice(2) });
  const parts = { scheme: 'file', ...noAuthority, host: base?.host ?? '', query, fragment };
  const isRooted = /^[/\\]/.test(rest);
  if (isRooted || !base || typeof base.path === 'string') {
    return { ...parts, path: parsePath(rest.slice(isRooted ? 1 : 0), 'file') };
  }
  if (rest === '') return { ...parts, path: base.path, query: query ?? base.query };
  return { ...parts, path: parsePath(rest, 'file', base.path.slice(0, -1)) };
};

const fileWithHost = ({ rest, query, fragment }: Cut): UrlRecord | undefined => {
  const [, hostPart = '', pathPart = ''] = /^([^/\\]*)[/\\]?(.*)$/s.exec(rest) ?? [];
  const host = hostPart === '' ? '' : parseHost(hostPart, true);
  if (host === undefined) return undefined;
  const path = parsePath(pathPart, 'file');
  return { scheme: 'file', ...noAuthority, host: host === 'localhost' ? '' : host, path, query, fragment };
};

const withAuthority = ({ rest, query, fragment }: Cut, scheme: string): UrlRecord | undefined => {
  const end = rest.search(isSpecial(scheme) ? /[/\\]/ : /\//);
  const authorityText = end < 0 ? rest : rest.slice(0, end);
  const authority = parseAuthority(authorityText, scheme);
  if (!authority) return undefined;
  const path = end < 0 && !isSpecial(scheme) ? [] : parsePath(end < 0 ? '' : rest.slice(end + 1), scheme);
  return { scheme, ...authority, path, query, fragment };
};

type Authority = Pick<UrlRecord, 'username' | 'password' | 'host' | 'port'>;

const parseAuthority = (text: string, scheme: string): Authority | undefined => {
  const at = text.lastIndexOf('@');
  const place = parseHostAndPort(text.slice(at + 1), scheme);
  if (!place || (at >= 0 && place.host === '')) return undefined;
  const [username, password] = splitOnce(at < 0 ? '' : text.slice(0, at), ':');
  return {
    username: percentEncode(username, encodeSets.userinfo),
    password: percentEncode(password ?? '', encodeSets.userinfo),
    ...place,
  };
};

/** Host and port as in an authority; undefined when they aren't. */
export const parseHostAndPort = (
  text: string,
  scheme: string,
): { readonly host: string; readonly port: number | null } | undefined => {
  const [, hostText = '', portText] = /^((?:\[[^\]]*\]|[^:[])*)(?::(.*))?$/s.exec(text) ?? [text, text];
  if (hostText === '' && (isSpecial(scheme) || portText !== undefined)) return undefined;
  const host = hostText === '' ? '' : parseHost(hostText, isSpecial(scheme));
  const port = parsePort(portText ?? '', scheme);
  return host === undefined || port === undefined ? undefined : { host, port };
};

/** The port in `text`: null when it is empty or the scheme's own, undefined when it isn't one. */
export const parsePort = (text: string, scheme: string): number | null | undefined => {
  if (text === '') return null;
  if (!/^\d+$/.test(text) || Number(text) > 65_535) return undefined;
  return Number(text) === defaultPorts.get(scheme) ? null : Number(text);
};

const isDot = /^(\.|%2e)$/i;
const isDotDot = /^(\.|%2e){2}$/i;

/** The segments of `text`, which comes after a slash, below the segments of `above`. */
export const parsePath = (text: string, scheme: string, above: readonly string[] = []): readonly string[] => {
  const segments = text.split(isSpecial(scheme) ? /[/\\]/ : '/');
  const path = [...above];
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (isDotDot.test(segment)) path.pop();
    if (isDotDot.test(segment) || isDot.test(segment)) {
      if (isLast) path.push('');
    } else path.push(percentEncode(segment, encodeSets.path));
  });
  return path;
};

/** The path as text. */
export const pathText = ({ path }: UrlRecord): string =>
  typeof path === 'string' ? path : path.map((segment) => `/${segment}`).join('');

/** Host and port as text; '' when there is no host. */
export const hostText = ({ host, port }: UrlRecord): string => `${host ?? ''}${port === null ? '' : `:${port}`}`;

/** The URL as text (section 4.5). */
export const urlText = (url: UrlRecord): string =>
  `${url.scheme}:${authorityText(url)}${pathText(url)}${url.query === null ? '' : `?${url.query}`}${
    url.fragment === null ? '' : `#${url.fragment}`
  }`;

const authorityText = (url: UrlRecord): string => {
  // Without an authority, a path that begins with two slashes would read as one.
  if (url.host === null) return typeof url.path === 'object' && url.path.length > 1 && url.path[0] === '' ? '/.' : '';
  const password = url.password === '' ? '' : `:${url.password}`;
  const credentials = url.username === '' && password === '' ? '' : `${url.username}${password}@`;
  return `//${credentials}${hostText(url)}`;
};
