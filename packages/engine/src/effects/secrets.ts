/**
 * Secrets in requests: a performer in front of another one that puts values in the place of placeholders
 * (`packages/protocol/src/journal/secret.ts`), for the hosts that the operator allowed.
 *
 *   1. A value leaves only in a request to a host that is allowed for it; any other request with its placeholder is refused, unsent.
 *   2. A request with a secret in it follows no redirect: where it leads, nobody has allowed.
 *   3. A value that comes back from a host that it may be sent to, in whatever part of an answer and in answer to whichever request, is
 *      turned into its placeholder again ({@link Veil} says what is recognised): who was given it once may tell it later.
 *   4. In a URL, a form and JSON a value is written so that it stays one value: what is in it changes nothing around it. In the name
 *      and password of a header (`Basic`, RFC 7617) a placeholder is found though it is encoded.
 */
import { secretPlaceholderPattern, type Answer, type FetchIntent, type FetchResult } from '@mvm-ci/protocol';
import type { EffectPerformer } from './performer.ts';
import { fromLatin1, latin1 } from './byte-text.ts';
import { basicOf, bodyFormOf, credentialsOf, percentOf } from './secret-form.ts';
import { Veil } from './veil.ts';

/** A secret that the operator keeps. */
interface Secret {
  readonly value: string;
  /** Where it may be sent: `api.example.com`, or `api.example.com:8443` for that port alone. */
  readonly hosts: readonly string[];
}

/** Secrets by their names. */
export type Secrets = Readonly<Record<string, Secret>>;

/** A performer that knows `secrets` in front of `performer`. */
export const withSecrets = (performer: EffectPerformer, secrets: Secrets): EffectPerformer => {
  const veils = new Veils(secrets);
  return {
    fetch: async (order, options) => {
      const { intent } = order;
      const names = namesIn(intent);
      const refusal = names.size === 0 ? undefined : refusalOf(intent, names, secrets);
      if (refusal !== undefined) return { type: 'error', code: 'FORBIDDEN', message: refusal };
      const misplaced = misplacedIn(intent, secrets);
      if (misplaced !== undefined) return { type: 'error', code: 'INVALID_ARGUMENT', message: misplaced };
      const veil = veils.of(intent.url);
      const filled = names.size === 0 ? intent : fill(intent, secrets);
      const filter = veil && { filter: veil.source.bind(veil) };
      const answer = await performer.fetch(veil ? { ...order, intent: filled, ...filter } : order, options);
      return veiled(answer, veil, veils);
    },
  };
};

/** Those that hide what is allowed for a host. */
class Veils {
  readonly #secrets: readonly (readonly [string, Secret])[];
  /** By the names of what they hide. */
  readonly #made: Map<string, Veil> = new Map();

  constructor(secrets: Secrets) {
    this.#secrets = Object.entries(secrets);
  }

  /** Undefined: there is nothing to hide. */
  of(url: string): Veil | undefined {
    if (this.#secrets.length === 0) return undefined;
    const host = hostOf(url);
    const known = host === undefined ? [] : this.#secrets.filter(([, secret]) => isAllowed(secret, host));
    if (known.length === 0) return undefined;
    const key = known.map(([name]) => name).join(' ');
    const veil = this.#made.get(key) ?? new Veil(known.map(([name, { value }]) => [name, value]));
    this.#made.set(key, veil);
    return veil;
  }
}

const namesIn = ({ url, headers, body }: FetchIntent): ReadonlySet<string> => {
  const inHeaders = headers.flatMap(([, value]) => [value, credentialsOf(value) ?? '']);
  const texts = [url, ...inHeaders, ...(body ? [latin1(body)] : [])];
  return new Set(texts.flatMap((text) => [...text.matchAll(secretPlaceholderPattern)].map(([, name = '']) => name)));
};

const refusalOf = (intent: FetchIntent, names: ReadonlySet<string>, secrets: Secrets): string | undefined => {
  const host = hostOf(intent.url);
  if (host === undefined) return `a request with a secret needs an http or https URL with its host written out`;
  for (const name of names) {
    const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    if (!secret) return `there is no secret "${name}" here: whoever runs the engine gives secrets by --secrets`;
    if (!isAllowed(secret, host))
      return `the secret "${name}" may not be sent to ${host.withPort}: it is allowed for ${secret.hosts.join(', ') || 'no host'}`;
  }
  return undefined;
};

/** Said here: `fetch` would name the character that it does not take, which is a part of the value. */
const misplacedIn = ({ headers }: FetchIntent, secrets: Secrets): string | undefined => {
  for (const [header, text] of headers)
    for (const [, name = ''] of text.matchAll(secretPlaceholderPattern))
      if (/[\0\r\n]|[^\0-\xff]/.test(secrets[name]?.value.trim() ?? ''))
        return `the secret "${name}" can't be sent in the header ${header}: it has a line break, or a character that headers can't hold`;
  return undefined;
};

interface Host {
  readonly name: string;
  readonly withPort: string;
}

const isAllowed = ({ hosts }: Secret, { name, withPort }: Host): boolean =>
  hosts.some((one) => [name, withPort].includes(one.toLowerCase()));

/** The host as it is written, before any secret is in the URL: a secret can't choose where it goes. */
const hostOf = (url: string): Host | undefined => {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) return undefined;
  if (parsed.host.matchAll(secretPlaceholderPattern).next().value) return undefined;
  const port = parsed.port === '' ? (parsed.protocol === 'https:' ? '443' : '80') : parsed.port;
  return { name: parsed.hostname, withPort: `${parsed.hostname}:${port}` };
};

const fill = (intent: FetchIntent, secrets: Secrets): FetchIntent => {
  const put = (text: string, written: (value: string) => string): string =>
    text.replaceAll(secretPlaceholderPattern, (_, name: string) => written(secrets[name]?.value ?? ''));
  const putInHeader = (header: string): string => {
    const credentials = credentialsOf(header);
    if (credentials === undefined) return put(header, (one) => one);
    // The ends of a header are trimmed, and these are meant to be the same value.
    return basicOf(put(credentials, (one) => latin1(Buffer.from(one.trim()))));
  };
  const inBody = bodyFormOf(intent);
  return {
    ...intent,
    url: put(intent.url, percentOf),
    headers: intent.headers.map(([name, value]) => [name, putInHeader(value)]),
    // Any bytes are a text of one character each, and those of the value too.
    body: intent.body && fromLatin1(put(latin1(intent.body), (value) => latin1(Buffer.from(inBody(value))))),
    redirect: intent.redirect === 'follow' ? 'error' : intent.redirect,
  };
};

const veiled = (answer: Answer, asked: Veil | undefined, veils: Veils): Answer => {
  if (answer.type === 'error') return asked ? { ...answer, message: asked.text(answer.message) } : answer;
  if (answer.type !== 'fetched') return answer;
  // A request without a secret may have been led to a host that knows some.
  const led = answer.response.redirected ? veils.of(answer.response.url) : undefined;
  return { type: 'fetched', response: behind(behind(answer.response, asked), led) };
};

const behind = (response: FetchResult, veil: Veil | undefined): FetchResult =>
  veil
    ? {
        ...response,
        statusText: veil.text(response.statusText),
        url: veil.text(response.url),
        headers: response.headers.map(([name, value]) => [name, veil.text(value)]),
        body: veil.bytes(response.body),
      }
    : response;
