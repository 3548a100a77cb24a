/** `TextEncoder` and `TextDecoder` for UTF-8 (Encoding standard, sections 7 and 8.1). */
import { charactersOf } from './base64.ts';
import { nativeCodec, wholeBuffer } from './native-codec.ts';

/** The UTF-8 bytes of `text`; a lone surrogate becomes U+FFFD. */
export const encodeUtf8 = (text: string): Uint8Array<ArrayBuffer> => {
  if (nativeCodec && text.length > shortChars && !text.includes('\0')) return new Uint8Array(nativeCodec.encode(text));
  if (isAscii(text)) return codesOf(text);
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (const character of text.toWellFormed()) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) {
      bytes[at++] = point;
      continue;
    }
    const tail = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    bytes[at++] = ([0xc0, 0xe0, 0xf0][tail - 1] ?? 0) | (point >> (6 * tail));
    for (let rest = tail - 1; rest >= 0; rest -= 1) bytes[at++] = 0x80 | ((point >> (6 * rest)) & 0x3f);
  }
  return bytes.slice(0, at);
};

/** What is shorter takes the interpreter no longer than a call of the host. */
const shortChars = 32;

const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text);

const codesOf = (text: string): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
};

/** Bytes that are looked at together for being ASCII. */
const pieceBytes = 4_096;

/** The text of the bytes from `at` on as far as they are ASCII, at most a piece; empty: not one is, or the piece has others too. */
const asciiPiece = (bytes: Uint8Array, at: number): string => {
  const text = charactersOf(bytes.subarray(at, at + pieceBytes));
  return isAscii(text) ? text : '';
};

/** How many bytes follow a lead byte, and the range that the first of them must be in; undefined for no lead byte. */
const sequenceOf = (lead: number): readonly [tail: number, low: number, high: number] | undefined => {
  if (lead < 0xc2 || lead > 0xf4) return undefined;
  if (lead < 0xe0) return [1, 0x80, 0xbf];
  if (lead < 0xf0) return [2, lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf];
  return [3, lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf];
};

/** One code point at `at`: its value, -1 for a malformed sequence, -2 for one that the end cuts; and its length. */
const readPoint = (bytes: Uint8Array, at: number): readonly [point: number, length: number] => {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return [lead, 1];
  const sequence = sequenceOf(lead);
  if (!sequence) return [-1, 1];
  const [tail, low, high] = sequence;
  let point = lead & (0x3f >> tail);
  for (let index = 1; index <= tail; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) return [-2, index];
    const [from, to] = index === 1 ? [low, high] : [0x80, 0xbf];
    if (byte < from || byte > to) return [-1, index];
    point = (point << 6) | (byte & 0x3f);
  }
  return [point, tail + 1];
};

/** How {@link decodeUtf8} treats what isn't UTF-8. */
export interface DecodeOptions {
  /** Throw instead of writing U+FFFD. */
  readonly fatal?: boolean;
  /** The bytes go on later: an unfinished sequence at the end is left over, not an error. */
  readonly stream?: boolean;
}

/**
 * The text in `bytes`, and how many of them were read (all, unless they go on later).
 *
 * @throws {TypeError} when `fatal` and the bytes aren't UTF-8.
 */
export const decodeUtf8 = (
  bytes: Uint8Array,
  { fatal = false, stream = false }: DecodeOptions = {},
): { readonly text: string; readonly read: number } => {
  const whole = nativeText(bytes);
  if (whole !== undefined) return { text: whole, read: bytes.length };
  const parts: string[] = [];
  let [at, mixedUntil] = [0, 0];
  while (at < bytes.length) {
    if (at >= mixedUntil) {
      const ascii = asciiPiece(bytes, at);
      if (ascii !== '') {
        parts.push(ascii);
        at += ascii.length;
        continue;
      }
      mixedUntil = at + pieceBytes;
    }
    const [point, length] = readPoint(bytes, at);
    if (point === -2 && stream) break;
    if (point < 0 && fatal) throw new TypeError(`the bytes are not UTF-8 at offset ${at}`);
    parts.push(point < 0 ? '\ufffd' : String.fromCodePoint(point));
    at += length;
  }
  return { text: parts.join(''), read: at };
};

/** The text, by the host; undefined where that can't tell: not UTF-8 from end to end, with U+0000 in it, or short. */
const nativeText = (bytes: Uint8Array): string | undefined =>
  nativeCodec && bytes.length > shortChars && !bytes.includes(0) ? nativeCodec.decode(wholeBuffer(bytes)) : undefined;

/** See the Encoding standard. */
export class TextEncoder {
  readonly encoding: string = 'utf-8';

  /** UTF-8 bytes of `text`. */
  encode(text: unknown = ''): Uint8Array<ArrayBuffer> {
    return encodeUtf8(String(text));
  }

  /** Writes as many whole characters as fit into `target`. */
  encodeInto(text: string, target: Uint8Array): { read: number; written: number } {
    let [read, written] = [0, 0];
    for (const character of text) {
      const bytes = encodeUtf8(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      read += character.length;
      written += bytes.length;
    }
    return { read, written };
  }
}

/** What a decoder may be given. */
export type BytesLike = ArrayBuffer | ArrayBufferView;

/** The bytes of a buffer or a view, not copied. */
export const bytesOf = (source: BytesLike): Uint8Array =>
  ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);

/** See the Encoding standard; UTF-8 only. */
export class TextDecoder {
  readonly encoding: string = 'utf-8';
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  #rest: Uint8Array = new Uint8Array(0);
  #isBomSeen = false;

  /** @throws {RangeError} for any encoding but UTF-8. */
  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false }: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) {
      throw new RangeError(`a workflow's TextDecoder knows utf-8 only: received "${label}"`);
    }
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }

  /** The text in `source`. With `stream`, an unfinished character at the end waits for the next call. */
  decode(source: BytesLike = new Uint8Array(0), { stream = false }: { stream?: boolean } = {}): string {
    const given = bytesOf(source);
    const bytes = this.#rest.length === 0 ? given : joined([this.#rest, given]);
    const { text, read } = decodeUtf8(bytes, { fatal: this.fatal, stream });
    this.#rest = bytes.slice(read);
    const shown = this.#withoutBom(text);
    if (!stream) this.#isBomSeen = false;
    return shown;
  }

  #withoutBom(text: string): string {
    if (this.#isBomSeen || this.ignoreBOM || text === '') return text;
    this.#isBomSeen = true;
    return text.startsWith('\ufeff') ? text.slice(1) : text;
  }
}

/** The pieces, one after the other. */
export const joined = (pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
};
