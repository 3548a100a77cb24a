/** `URLSearchParams` (URL standard, section 6). */
import { encodeSets, percentDecode, percentEncode } from './percent.ts';

type Pair = [name: string, value: string];

/** What the constructor takes. */
export type SearchParamsInit = string | Readonly<Record<string, string>> | Iterable<readonly string[]>;

/** See the URL standard. */
export class URLSearchParams {
  #pairs: Pair[];
  #onChange: (text: string) => void = () => {};

  constructor(init: SearchParamsInit | null = '') {
    this.#pairs = pairsOf(init ?? '');
  }

  /** The parameters of a URL's query; `onChange` hears the query after each change. */
  static linked(query: string, onChange: (text: string) => void): URLSearchParams {
    const params = new URLSearchParams(query);
    params.#onChange = onChange;
    return params;
  }

  get size(): number {
    return this.#pairs.length;
  }

  /** Adds a pair at the end. */
  append(name: string, value: string): void {
    this.#change([...this.#pairs, pairOf(name, value)]);
  }

  /** Removes all pairs of that name, or those of that value too. */
  delete(name: string, value?: string): void {
    this.#change(this.#pairs.filter((pair) => !matches(pair, name, value)));
  }

  get(name: string): string | null {
    return this.#pairs.find((pair) => matches(pair, name))?.[1] ?? null;
  }

  getAll(name: string): string[] {
    return this.#pairs.filter((pair) => matches(pair, name)).map(([, value]) => value);
  }

  has(name: string, value?: string): boolean {
    return this.#pairs.some((pair) => matches(pair, name, value));
  }

  /** Gives the first pair of that name the value and removes the others; adds one when there is none. */
  set(name: string, value: string): void {
    const first = this.#pairs.findIndex((pair) => matches(pair, name));
    if (first < 0) {
      this.append(name, value);
      return;
    }
    const kept = this.#pairs.filter((pair, index) => index === first || !matches(pair, name));
    this.#change(kept.map((pair) => (matches(pair, name) ? pairOf(name, value) : pair)));
  }

  /** Sorts by name, in code units; equal names keep their order. */
  sort(): void {
    this.#change(this.#pairs.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  }

  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void {
    for (const [name, value] of this.#pairs) Reflect.apply(callback, self, [value, name, this]);
  }

  *entries(): Generator<[string, string]> {
    for (let index = 0; index < this.#pairs.length; index += 1) {
      const [name = '', value = ''] = this.#pairs[index] ?? [];
      yield [name, value];
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
    return 'URLSearchParams';
  }

  /** `application/x-www-form-urlencoded`. */
  toString(): string {
    return this.#pairs.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`).join('&');
  }

  #change(pairs: Pair[]): void {
    this.#pairs = pairs;
    this.#onChange(this.toString());
  }
}

const pairsOf = (init: SearchParamsInit): Pair[] => {
  if (typeof init === 'string') return parseForm(init.startsWith('?') ? init.slice(1) : init);
  if (!isIterable(init)) return Object.entries(init).map(([name, value]) => pairOf(name, value));
  return Array.from(init, (pair) => {
    const [name, value, ...more] = pair;
    if (name === undefined || value === undefined || more.length > 0) {
      throw new TypeError(`URLSearchParams takes pairs of a name and a value: received ${[...pair].length} items`);
    }
    return pairOf(name, value);
  });
};

const isIterable = (init: object): init is Iterable<readonly string[]> => Symbol.iterator in init;

const pairOf = (name: unknown, value: unknown): Pair => [String(name).toWellFormed(), String(value).toWellFormed()];

const matches = (pair: Readonly<Pair>, name: string, value?: string): boolean =>
  pair[0] === name && (value === undefined || pair[1] === value);

const parseForm = (text: string): Pair[] =>
  text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [decodeForm(part), ''] : [decodeForm(part.slice(0, at)), decodeForm(part.slice(at + 1))];
    });

const decodeForm = (text: string): string => percentDecode(text.replaceAll('+', ' ').toWellFormed());
const encodeForm = (text: string): string => percentEncode(text, encodeSets.form).replaceAll('%20', '+');
