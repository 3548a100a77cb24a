/** `Headers` (Fetch standard, section 5.1), without guards: the host refuses what it will not send. */
import type { HeaderPair } from '../activation.ts';

/** What the constructor takes. */
export type HeadersSource = Headers | Iterable<readonly string[]> | Readonly<Record<string, string>>;

const namePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const normalName = (name: unknown): string => {
  const text = String(name);
  if (!namePattern.test(text)) throw new TypeError(`a header's name must be a token (RFC 9110): received "${text}"`);
  return text.toLowerCase();
};

const normalValue = (value: unknown): string => {
  const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
  if (/[\0\n\r]|[^\0-\xff]/.test(text)) {
    throw new TypeError(
      `a header's value can't hold line breaks, NUL or characters above U+00FF: received ${JSON.stringify(text)}`,
    );
  }
  return text;
};

/** See the Fetch standard. */
export class Headers {
  #pairs: HeaderPair[] = [];

  constructor(init?: HeadersSource | null) {
    // Most requests have none, and each line that is interpreted counts.
    if (init === undefined || init === null) return;
    for (const pair of pairsOf(init)) {
      const [name, value, ...more] = pair;
      if (name === undefined || value === undefined || more.length > 0) {
        throw new TypeError('Headers takes pairs of a name and a value');
      }
      this.append(name, value);
    }
  }

  append(name: string, value: string): void {
    this.#pairs.push([normalName(name), normalValue(value)]);
  }

  delete(name: string): void {
    const wanted = normalName(name);
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== wanted);
  }

  /** Whether there is none. Not part of the standard, so no method that authors see. */
  static isEmpty(headers: Headers): boolean {
    return headers.#pairs.length === 0;
  }

  /** All values of that name, joined by a comma; null when there is none. */
  get(name: string): string | null {
    const wanted = normalName(name);
    const values = this.#pairs.filter((pair) => pair[0] === wanted).map((pair) => pair[1]);
    return values.length === 0 ? null : values.join(', ');
  }

  getSetCookie(): string[] {
    return this.#pairs.filter((pair) => pair[0] === 'set-cookie').map((pair) => pair[1]);
  }

  has(name: string): boolean {
    const wanted = normalName(name);
    return this.#pairs.some((pair) => pair[0] === wanted);
  }

  set(name: string, value: string): void {
    const pair: HeaderPair = [normalName(name), normalValue(value)];
    this.delete(name);
    this.#pairs.push(pair);
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (const [name, value] of this) Reflect.apply(callback, self, [value, name, this]);
  }

  /** Names in order, values joined; each `set-cookie` by itself. */
  *entries(): Generator<[string, string]> {
    const names = [...new Set(this.#pairs.map((pair) => pair[0]))].sort();
    for (const name of names) {
      if (name === 'set-cookie') for (const value of this.getSetCookie()) yield [name, value];
      else yield [name, this.get(name) ?? ''];
    }
  }

  *keys(): Generator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): Generator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return 'Headers';
  }
}

const pairsOf = (init: HeadersSource): Iterable<readonly string[]> => (isIterable(init) ? init : Object.entries(init));

const isIterable = (init: HeadersSource): init is Iterable<readonly string[]> => Symbol.iterator in init;
