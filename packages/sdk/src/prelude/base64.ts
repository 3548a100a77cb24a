/** Base64 (RFC 4648 section 4) for `atob`, `btoa` and bodies. */
import { nativeCodec, wholeBuffer } from './native-codec.ts';

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const codes = Uint8Array.from(digits, (digit) => digit.charCodeAt(0));
/** The value of each digit, by its code. */
const values = new Uint8Array(128);
for (const [value, code] of codes.entries()) values[code] = value;

/** Bytes that become one piece of text, a multiple of 3. */
const pieceBytes = 3_072;

/** The bytes as base64. */
export const toBase64 = (bytes: Uint8Array): string => {
  if (nativeCodec && bytes.length > 0) return nativeCodec.toBase64(wholeBuffer(bytes));
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(pieceOf(bytes.subarray(at, at + pieceBytes)));
  return pieces.join('');
};

/** Codes first, and text of all at once: in an interpreter each text that is joined to another costs more than the digit. */
const pieceOf = (bytes: Uint8Array): string => {
  const written = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  for (let [at, to] = [0, 0]; at < bytes.length; at += 3, to += 4) {
    const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    written[to] = codes[bits >> 18] ?? 0;
    written[to + 1] = codes[(bits >> 12) & 63] ?? 0;
    written[to + 2] = codes[(bits >> 6) & 63] ?? 0;
    written[to + 3] = codes[bits & 63] ?? 0;
  }
  const padding = (3 - (bytes.length % 3)) % 3;
  return charactersOf(written.subarray(0, written.length - padding)) + '='.repeat(padding);
};

/** A character for each byte, of some thousands at most: each is an argument. */
export const charactersOf = (bytes: Uint8Array): string =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- apply takes whatever is like an array
  String.fromCharCode.apply(null, bytes as unknown as number[]);

/**
 * The bytes in base64 text, forgiving as in the Infra standard: white space is ignored, padding may be missing.
 *
 * @throws {TypeError} when the text isn't base64.
 */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => {
  const data = digitsOf(text);
  if (nativeCodec && data !== '') return new Uint8Array(nativeCodec.fromBase64(data));
  const bytes = new Uint8Array(Math.floor((data.length * 3) / 4));
  // What lies behind the end is 0, and what is written there is lost.
  for (let [at, to] = [0, 0]; at < data.length; at += 4, to += 3) {
    const bits = (valueAt(data, at) << 18) | (valueAt(data, at + 1) << 12) | (valueAt(data, at + 2) << 6);
    bytes[to] = bits >> 16;
    bytes[to + 1] = bits >> 8;
    bytes[to + 2] = bits | valueAt(data, at + 3);
  }
  return bytes;
};

/** The digits alone. @throws {TypeError} when the text isn't base64 */
const digitsOf = (text: string): string => {
  const clean = text.replace(/[\t\n\f\r ]+/g, '');
  const data = clean.length % 4 === 0 ? clean.replace(/={1,2}$/, '') : clean;
  if (data.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(data)) throw new TypeError('not base64');
  return data;
};

const valueAt = (data: string, at: number): number => values[data.charCodeAt(at)] ?? 0;

/** `atob`: base64 to a string of bytes. */
export const atob = (text: unknown): string => {
  const data = orInvalidCharacter(() => digitsOf(String(text)), 'atob: the text is not base64');
  return nativeCodec ? nativeCodec.atob(data).replaceAll(zeroAbroad, '\0') : charactersOfAll(fromBase64(data));
};

/** `btoa`: a string of bytes to base64. */
export const btoa = (text: unknown): string => {
  const string = String(text);
  if (/[^\0-\xff]/.test(string)) throw invalidCharacter('btoa: the text has a character above U+00FF');
  if (nativeCodec) return nativeCodec.btoa(string.replaceAll('\0', zeroAbroad));
  const bytes = new Uint8Array(string.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = string.charCodeAt(at);
  return toBase64(bytes);
};

/** How a zero byte crosses in text, which ends at U+0000. */
const zeroAbroad = '\u0100';

const charactersOfAll = (bytes: Uint8Array): string => {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(charactersOf(bytes.subarray(at, at + pieceBytes)));
  return pieces.join('');
};

const orInvalidCharacter = <T>(run: () => T, message: string): T => {
  try {
    return run();
  } catch {
    throw invalidCharacter(message);
  }
};

const invalidCharacter = (message: string): DOMException => new DOMException(message, 'InvalidCharacterError');
