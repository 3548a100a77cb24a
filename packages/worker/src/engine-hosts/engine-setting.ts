/** Where a worker's engine is, as one setting: the text of `FLAWLESS_URL`, read. `docs/reference/flawless.md` lists the forms. */
import { mvmError } from '@mvm-ci/protocol';

/** How a URL's scheme reaches an engine server. */
export type EngineScheme = 'http' | 'https';

/** Where the servers of a pool are found. */
export type MemberSource =
  | { readonly type: 'urls'; readonly urls: readonly string[] }
  /** Every A and AAAA record of `name` is a server. */
  | { readonly type: 'dns'; readonly scheme: EngineScheme; readonly name: string; readonly port: number }
  /** The SRV records (RFC 2782) of `name` are the servers. */
  | { readonly type: 'srv'; readonly scheme: EngineScheme; readonly name: string };

/** One of the four places for an engine. */
export type EngineSetting =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'peer' }
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'pool'; readonly source: MemberSource };

/** The text that means the control plane's own engine. */
export const peerEngineUrl = 'iroh+h3://control-plane';

const rule = `empty for an engine in each worker, ${peerEngineUrl}, one or more http:// or https:// URLs (comma-separated), dns+http://NAME:PORT or srv+http://NAME`;

/**
 * Reads the setting.
 *
 * @example parseEngineSetting('http://a:27288,http://b:27288') // { kind: 'pool', source: { type: 'urls', urls: […] } }
 * @throws CONFIG_INVALID with the rule that `text` breaks
 */
export const parseEngineSetting = (text: string): EngineSetting => {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const [first] = parts;
  if (first === undefined) return { kind: 'embedded' };
  if (parts.length > 1) return severalUrls(text, parts);
  if (first.replace(/\/$/, '') === peerEngineUrl) return { kind: 'peer' };
  const found = /^(dns|srv)\+(https?):\/\/(.*)$/.exec(first);
  if (!found) return { kind: 'remote', url: serverUrl(text, first) };
  const [, type, protocol, rest = ''] = found;
  const scheme = protocol === 'https' ? 'https' : 'http';
  return { kind: 'pool', source: type === 'dns' ? dnsSource(text, scheme, rest) : srvSource(text, scheme, rest) };
};

const severalUrls = (text: string, parts: readonly string[]): EngineSetting => {
  const urls = [...new Set(parts.map((part) => serverUrl(text, part)))];
  const [only] = urls;
  if (only !== undefined && urls.length === 1) return { kind: 'remote', url: only };
  return { kind: 'pool', source: { type: 'urls', urls } };
};

/** A server's URL without anything that means nothing here. */
const serverUrl = (text: string, part: string): string => {
  if (!URL.canParse(part)) throw invalid(text, rule);
  const { protocol, origin, username, password, pathname, search, hash } = new URL(part);
  if (protocol !== 'http:' && protocol !== 'https:') throw invalid(text, rule);
  if (username !== '' || password !== '')
    throw invalid('a URL with a password', 'URLs without user and password: the token is a setting of its own');
  if (pathname !== '/' || search !== '' || hash !== '')
    throw invalid(text, `URLs of servers, such as ${origin}: without path, query or fragment`);
  return origin;
};

const dnsSource = (text: string, scheme: EngineScheme, rest: string): MemberSource => {
  const [, name, digits] = /^([^:/?#@[\]]+):(\d{1,5})\/?$/.exec(rest) ?? [];
  const port = Number(digits);
  if (!isName(name) || !(port >= 1 && port <= 65_535))
    throw invalid(text, `dns+${scheme}://NAME:PORT, such as dns+${scheme}://engines.internal:27288`);
  return { type: 'dns', scheme, name, port };
};

const srvSource = (text: string, scheme: EngineScheme, rest: string): MemberSource => {
  const name = rest.replace(/\/$/, '');
  if (!isName(name))
    throw invalid(text, `srv+${scheme}://NAME without port, such as srv+${scheme}://_flawless._tcp.example.internal`);
  return { type: 'srv', scheme, name };
};

/** A domain name (RFC 1035 section 2.3.4, underscores allowed as in RFC 2782), and no address. */
const isName = (name: string | undefined): name is string =>
  name !== undefined &&
  name.length <= 253 &&
  name
    .replace(/\.$/, '')
    .split('.')
    .every((label) => /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/.test(label)) &&
  /[A-Za-z]/.test(name);

const invalid = (received: string, wanted: string): Error =>
  mvmError('CONFIG_INVALID', `the engine's place is ${JSON.stringify(received)}; it must be ${wanted}`, {
    rule: wanted,
    received,
  });
