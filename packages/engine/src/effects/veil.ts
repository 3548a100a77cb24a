/**
 * Turns the values of secrets into their placeholders again, wherever they come back. A value is recognised as it is, and as a URL,
 * a form, JSON, HTML or base64 writes it; what is encoded otherwise, or in pieces, is not.
 */
import { secretPlaceholder, type ByteSource } from '@mvm-ci/protocol';
import { fromLatin1, latin1 } from './byte-text.ts';
import { base64Of, formOf, jsonOf, percentOf } from './secret-form.ts';

/** A secret's name and value. */
export type NamedValue = readonly [name: string, value: string];

/** See the head of this file. */
export class Veil {
  readonly #names: ReadonlyMap<string, string>;
  readonly #pattern: RegExp;
  readonly #longest: number;

  constructor(values: readonly NamedValue[]) {
    this.#names = new Map(values.flatMap(([name, value]) => appearances(value).map((text) => [text, name] as const)));
    // One value may begin with another: the longer one is meant.
    const texts = [...this.#names.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = new RegExp(texts.map((text) => RegExp.escape(text)).join('|'), 'g');
    this.#longest = texts[0]?.length ?? 0;
  }

  text(text: string): string {
    if (!this.#isIn(text)) return text;
    return text.replaceAll(this.#pattern, (found) => secretPlaceholder(this.#names.get(found) ?? ''));
  }

  bytes(bytes: Uint8Array): Uint8Array {
    const text = latin1(bytes);
    const shown = this.text(text);
    return shown === text ? bytes : fromLatin1(shown);
  }

  /** The same in bytes that come one after another: a value may begin in one piece and end in the next. */
  async *source(body: ByteSource): ByteSource {
    let held = '';
    for await (const piece of body) {
      held += latin1(piece);
      const end = this.#decidedUpTo(held);
      if (end > 0) yield fromLatin1(this.text(held.slice(0, end)));
      held = held.slice(end);
    }
    if (held !== '') yield fromLatin1(this.text(held));
  }

  // Nearly always there is nothing to find, and looking for one text after another is the quickest way to know.
  #isIn(text: string): boolean {
    for (const known of this.#names.keys()) if (text.includes(known)) return true;
    return false;
  }

  /** How much of a text has no part of a value that goes on behind its end. */
  #decidedUpTo(text: string): number {
    const open = Math.max(0, text.length - this.#longest + 1);
    if (!this.#isIn(text)) return open;
    let end = open;
    for (const { index, 0: found } of text.matchAll(this.#pattern)) {
      if (index >= open) break;
      end = Math.max(open, index + found.length);
    }
    return end;
  }
}

/** All texts that a value may come back as: characters as they are, each byte as one, and Latin-1 taken for UTF-8. */
const appearances = (value: string): readonly string[] => {
  const texts = [value, value.trim()].flatMap((one) => [one, ...writings(one)]);
  return [...new Set([...texts, ...texts.map(latin1Of), ...texts.map(mistaken)])].filter((text) => text !== '');
};

const writings = (value: string): readonly string[] => {
  const percent = [percentOf(value), percentOf(value).replaceAll("'", '%27'), strictPercentOf(value), formOf(value)];
  const json = [jsonOf(value), asciiOf(jsonOf(value))];
  return [
    ...percent,
    ...percent.map((text) => text.replaceAll(/%../g, (byte) => byte.toLowerCase())),
    ...json,
    ...json.map((text) => text.replaceAll('/', String.raw`\/`)),
    htmlOf(value),
    ...base64Writings(value),
  ];
};

// Fewer characters come about by chance, too, in what a host tells.
const base64CharsMin = 8;

/** In both alphabets (RFC 4648, sections 4 and 5). */
const base64Writings = (value: string): readonly string[] =>
  base64Of(value)
    .filter(({ length }) => length >= base64CharsMin)
    .flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]);

/** RFC 3986, section 2.3: nothing but unreserved characters stays. */
const strictPercentOf = (value: string): string =>
  percentOf(value).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

const asciiOf = (json: string): string =>
  json.replaceAll(/[^\0-\x7f]/g, (one) => String.raw`\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);

const htmlOf = (value: string): string =>
  value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

const latin1Of = (text: string): string => latin1(Buffer.from(text));
const mistaken = (text: string): string => Buffer.from(text, 'latin1').toString();
