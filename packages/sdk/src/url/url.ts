/** `URL` (URL standard, section 6.1) on {@link UrlRecord}. */
import { encodeSets, percentEncode } from './percent.ts';
import {
  encodeQuery,
  hostText,
  isSpecial,
  parseHostAndPort,
  parsePath,
  parsePort,
  parseUrl,
  pathText,
  urlText,
  type UrlRecord,
} from './url-record.ts';
import { URLSearchParams } from './url-search-params.ts';

const textOf = (value: unknown): string => String(value);

/** A record on its way into a new URL. */
class Parsed {
  readonly record: UrlRecord;

  constructor(record: UrlRecord) {
    this.record = record;
  }
}

/** See the URL standard. */
export class URL {
  #record: UrlRecord;
  #searchParams: URLSearchParams | undefined;

  /** @throws {TypeError} when `url` isn't a URL, or is relative and there is no base. */
  constructor(url: unknown, base?: unknown) {
    const record = url instanceof Parsed ? url.record : URL.#parse(url, base);
    if (!record) {
      const against = base === undefined ? '' : ` with base "${textOf(base)}"`;
      throw new TypeError(`Invalid URL: "${String(url)}"${against}`);
    }
    this.#record = record;
  }

  /** The URL, or null when it isn't one. */
  static parse(url: unknown, base?: unknown): URL | null {
    const record = URL.#parse(url, base);
    return record ? new URL(new Parsed(record)) : null;
  }

  static canParse(url: unknown, base?: unknown): boolean {
    return URL.#parse(url, base) !== undefined;
  }

  static #parse(url: unknown, base: unknown): UrlRecord | undefined {
    if (base === undefined) return parseUrl(String(url));
    // A crawler resolves every link of a page against one base: a base that is parsed needn't be written and read.
    const baseRecord =
      typeof base === 'object' && base !== null && #record in base ? base.#record : parseUrl(textOf(base));
    return baseRecord && parseUrl(String(url), baseRecord);
  }

  get href(): string {
    return urlText(this.#record);
  }

  set href(text: unknown) {
    const record = parseUrl(String(text));
    if (!record) throw new TypeError(`Invalid URL: "${String(text)}"`);
    this.#record = record;
    this.#searchParams = undefined;
  }

  get origin(): string {
    const { scheme } = this.#record;
    return isSpecial(scheme) && scheme !== 'file' ? `${scheme}://${this.host}` : 'null';
  }

  get protocol(): string {
    return `${this.#record.scheme}:`;
  }

  set protocol(text: unknown) {
    const scheme = /^([a-z][a-z\d+.-]*)(:|$)/i.exec(String(text))?.[1]?.toLowerCase();
    if (scheme === undefined || isSpecial(scheme) !== isSpecial(this.#record.scheme)) return;
    if (scheme === 'file' && (this.#hasCredentials || this.#record.port !== null)) return;
    if (this.#record.scheme === 'file' && this.#record.host === '') return;
    this.#record = { ...this.#record, scheme, port: parsePort(this.port, scheme) ?? null };
  }

  get username(): string {
    return this.#record.username;
  }

  set username(text: unknown) {
    if (this.#canHaveCredentials) this.#set({ username: percentEncode(String(text), encodeSets.userinfo) });
  }

  get password(): string {
    return this.#record.password;
  }

  set password(text: unknown) {
    if (this.#canHaveCredentials) this.#set({ password: percentEncode(String(text), encodeSets.userinfo) });
  }

  get host(): string {
    return hostText(this.#record);
  }

  set host(text: unknown) {
    this.#setPlace(text, (place, named) => (named ? place : { ...place, port: this.#record.port }));
  }

  get hostname(): string {
    return this.#record.host ?? '';
  }

  set hostname(text: unknown) {
    this.#setPlace(text, (place, named) => (named ? undefined : { ...place, port: this.#record.port }));
  }

  get port(): string {
    return this.#record.port === null ? '' : String(this.#record.port);
  }

  set port(text: unknown) {
    if (!this.#canHaveCredentials) return;
    const digits = /^\d*/.exec(String(text))?.[0] ?? '';
    if (digits === '' && String(text) !== '') return;
    const port = parsePort(digits, this.#record.scheme);
    if (port !== undefined) this.#set({ port });
  }

  get pathname(): string {
    return pathText(this.#record);
  }

  set pathname(text: unknown) {
    const { scheme, path } = this.#record;
    if (typeof path === 'string') return;
    const start = isSpecial(scheme) ? /^[/\\]/ : /^\//;
    const clean = stripped(text).replaceAll('?', '%3F').replaceAll('#', '%23');
    this.#set({ path: parsePath(clean.replace(start, ''), scheme) });
  }

  get search(): string {
    const { query } = this.#record;
    return query === null || query === '' ? '' : `?${query}`;
  }

  set search(text: unknown) {
    const query = stripped(text).replace(/^\?/, '');
    this.#set({ query: String(text) === '' ? null : encodeQuery(query, this.#record.scheme) });
    this.#searchParams = undefined;
  }

  /** Live: a change of the parameters changes the URL. */
  get searchParams(): URLSearchParams {
    this.#searchParams ??= URLSearchParams.linked(this.#record.query ?? '', (query) =>
      this.#set({ query: query === '' ? null : query }),
    );
    return this.#searchParams;
  }

  get hash(): string {
    const { fragment } = this.#record;
    return fragment === null || fragment === '' ? '' : `#${fragment}`;
  }

  set hash(text: unknown) {
    const fragment = stripped(text).replace(/^#/, '');
    this.#set({ fragment: String(text) === '' ? null : percentEncode(fragment, encodeSets.fragment) });
  }

  toString(): string {
    return this.href;
  }

  toJSON(): string {
    return this.href;
  }

  get [Symbol.toStringTag](): string {
    return 'URL';
  }

  get #hasCredentials(): boolean {
    return this.#record.username !== '' || this.#record.password !== '';
  }

  get #canHaveCredentials(): boolean {
    const { host, scheme } = this.#record;
    return host !== null && host !== '' && scheme !== 'file';
  }

  #set(part: Partial<UrlRecord>): void {
    this.#record = { ...this.#record, ...part };
  }

  #setPlace(text: unknown, choose: (place: Place, isPortNamed: boolean) => Place | undefined): void {
    if (typeof this.#record.path === 'string') return;
    const { scheme } = this.#record;
    const clean = /^[^/?#]*/.exec(isSpecial(scheme) ? stripped(text).replaceAll('\\', '/') : stripped(text))?.[0] ?? '';
    if (clean.includes('@')) return;
    const place = parseHostAndPort(clean, scheme);
    const chosen = place && choose(place, /:[^\]]*$/.test(clean));
    if (chosen) this.#set(chosen);
  }
}

type Place = { readonly host: string; readonly port: number | null };

const stripped = (text: unknown): string =>
  String(text)
    .toWellFormed()
    .replace(/[\t\n\r]/g, '');
