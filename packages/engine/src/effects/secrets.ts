/**
 * Secrets in requests: a performer in front of another one that puts values in the place of placeholders
 * (`packages/protocol/src/journal/secret.ts`), for the hosts that the operator allowed.
 *
 *   1. A value leaves only in a request to a host that is allowed for it; any other request with its placeholder is refused, unsent.
 *   2. A request with a secret in it follows no redirect: where it leads, nobody has allowed.
 *   3. A value that comes back, in an answer's headers, body (also on its way into a blob), URL or message, is turned into its placeholder again, where it is there as it
 *      is: what the receiver has encoded otherwise is not found.
 */
import {
  secretPlaceholder,
  secretPlaceholderPattern,
  type Answer,
  type ByteSource,
  type FetchIntent,
} from '@mvm-ci/protocol';
import type { EffectPerformer } from './performer.ts';

/** A secret that the operator keeps. */
interface Secret {
  readonly value: string;
  /** Where it may be sent: `api.example.com`, or `api.example.com:8443` for that port alone. */
  readonly hosts: readonly string[];
}

/** Secrets by their names. */
export type Secrets = Readonly<Record<string, Secret>>;

/** A performer that knows `secrets` in front of `performer`. */
export const withSecrets = (performer: EffectPerformer, secrets: Secrets): EffectPerformer => ({
  fetch: async (order, options) => {
    const { intent } = order;
    const names = namesIn(intent);
    if (names.size === 0) return performer.fetch(order, options);
    const refusal = refusalOf(intent, names, secrets);
    if (refusal !== undefined) return { type: 'error', code: 'FORBIDDEN', message: refusal };
    const values = [...names].map((name): readonly [string, string] => [name, secrets[name]?.value ?? '']);
    const filter = (body: ByteSource): ByteSource => hidden(body, values);
    const answer = await performer.fetch({ ...order, intent: filled(intent, new Map(values)), filter }, options);
    return redacted(answer, values);
  },
});

const namesIn = ({ url, headers, body }: FetchIntent): ReadonlySet<string> => {
  const texts = [url, ...headers.map(([, value]) => value), ...(body ? [latin1(body)] : [])];
  return new Set(texts.flatMap((text) => [...text.matchAll(secretPlaceholderPattern)].map(([, name = '']) => name)));
};

const refusalOf = (intent: FetchIntent, names: ReadonlySet<string>, secrets: Secrets): string | undefined => {
  const host = hostOf(intent.url);
  if (host === undefined) return `a request with a secret needs an http or https URL with its host written out`;
  for (const name of names) {
    const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    if (!secret) return `there is no secret "${name}" here: whoever runs the engine gives secrets by --secrets`;
    if (!secret.hosts.some((allowed) => allowed === host.name || allowed === host.withPort))
      return `the secret "${name}" may not be sent to ${host.withPort}: it is allowed for ${secret.hosts.join(', ') || 'no host'}`;
  }
  return undefined;
};

/** The host as it is written, before any secret is in the URL: a secret can't choose where it goes. */
const hostOf = (url: string): { readonly name: string; readonly withPort: string } | undefined => {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) return undefined;
  if (parsed.host.matchAll(secretPlaceholderPattern).next().value) return undefined;
  const port = parsed.port === '' ? (parsed.protocol === 'https:' ? '443' : '80') : parsed.port;
  return { name: parsed.hostname, withPort: `${parsed.hostname}:${port}` };
};

type Values = ReadonlyMap<string, string>;

const filled = (intent: FetchIntent, values: Values): FetchIntent => ({
  ...intent,
  url: intent.url.replaceAll(secretPlaceholderPattern, (_, name: string) => encodeURIComponent(values.get(name) ?? '')),
  headers: intent.headers.map(([name, value]) => [name, put(value, values)]),
  body:
    intent.body &&
    fromLatin1(put(latin1(intent.body), new Map([...values].map(([name, value]) => [name, latin1Of(value)])))),
  redirect: intent.redirect === 'follow' ? 'error' : intent.redirect,
});

const put = (text: string, values: Values): string =>
  text.replaceAll(secretPlaceholderPattern, (_, name: string) => values.get(name) ?? '');

const redacted = (answer: Answer, values: readonly (readonly [string, string])[]): Answer => {
  if (answer.type === 'error') return { ...answer, message: hide(answer.message, values) };
  if (answer.type !== 'fetched') return answer;
  const { response } = answer;
  const bytes = values.map(([name, value]): readonly [string, string] => [name, latin1Of(value)]);
  const text = latin1(response.body);
  const hidden = hide(text, bytes);
  return {
    type: 'fetched',
    response: {
      ...response,
      url: hide(response.url, values),
      headers: response.headers.map(([name, value]) => [name, hide(value, values)]),
      body: hidden === text ? response.body : fromLatin1(hidden),
    },
  };
};

/** The value as it is, and as a URL has it. */
const hide = (text: string, values: readonly (readonly [string, string])[]): string =>
  values.reduce(
    (shown, [name, value]) =>
      value === ''
        ? shown
        : shown
            .replaceAll(value, secretPlaceholder(name))
            .replaceAll(encodeURIComponent(value), secretPlaceholder(name)),
    text,
  );

/** The same in bytes that come one after another: a value may begin in one piece and end in the next. */
const hidden = async function* (body: ByteSource, values: readonly (readonly [string, string])[]): ByteSource {
  const bytes = values.map(([name, value]): readonly [string, string] => [name, latin1Of(value)]);
  // A placeholder is in place of a value at once, so what is held back is never a part of one.
  const longest = Math.max(...bytes.map(([, value]) => encodeURIComponent(value).length));
  let held = '';
  for await (const piece of body) {
    held = hide(held + latin1(piece), bytes);
    const end = Math.max(0, held.length - longest + 1);
    if (end > 0) yield fromLatin1(held.slice(0, end));
    held = held.slice(end);
  }
  if (held !== '') yield fromLatin1(held);
};

/** Bytes as a text of one character each: placeholders and values are found in any bytes. */
const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
const fromLatin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
const latin1Of = (text: string): string => Buffer.from(text).toString('latin1');
