/**
 * `toBase64`, `toHex`, `fromBase64` and `fromHex` of `Uint8Array` (ECMA-262, "Uint8Array to/from base64 and hex"), which the runtime
 * lacks. Those that write into an array that is there already are left out.
 */
import { fromBase64, toBase64 } from './base64.ts';

/** How base64 is written. */
interface ToBase64Options {
  /** `base64url` has `-` and `_` in the place of `+` and `/`. @default base64 */
  readonly alphabet?: 'base64' | 'base64url';
  /** @default false */
  readonly omitPadding?: boolean;
}

/** How it is read. */
interface FromBase64Options {
  readonly alphabet?: 'base64' | 'base64url';
  /** Of a last chunk that isn't whole: taken, refused, or left out. @default loose */
  readonly lastChunkHandling?: 'loose' | 'strict' | 'stop-before-partial';
}

/** The bytes as text. */
const base64Of = (bytes: Uint8Array, options: ToBase64Options = {}): string => {
  const { alphabet = 'base64', omitPadding = false } = options;
  demandAlphabet(alphabet);
  const text = toBase64(bytes);
  const padded = omitPadding ? text.replace(/=+$/, '') : text;
  return alphabet === 'base64' ? padded : padded.replaceAll('+', '-').replaceAll('/', '_');
};

/** The bytes in `text`. @throws {SyntaxError} when it isn't base64 of that alphabet */
export const bytesOfBase64 = (text: string, options: FromBase64Options = {}): Uint8Array<ArrayBuffer> => {
  const { alphabet = 'base64', lastChunkHandling = 'loose' } = options;
  demandText(text, 'base64');
  demandAlphabet(alphabet);
  if (!['loose', 'strict', 'stop-before-partial'].includes(lastChunkHandling))
    throw new TypeError(`lastChunkHandling is loose, strict or stop-before-partial: received ${lastChunkHandling}`);
  const clean = text.replace(/[\t\n\f\r ]+/g, '');
  if (alphabet === 'base64url' && /[+/]/.test(clean)) throw new SyntaxError('not base64url: it has + or /');
  const data = alphabet === 'base64' ? clean : clean.replaceAll('-', '+').replaceAll('_', '/');
  const end = /[^A-Za-z0-9+/]/.exec(data)?.index ?? data.length;
  return fromBase64(digitsToRead(data.slice(0, end), data.slice(end), lastChunkHandling));
};

/** The digits that `handling` has read. `padding`: all that is behind them. */
const digitsToRead = (digits: string, padding: string, handling: FromBase64Options['lastChunkHandling']): string => {
  const left = digits.length % 4;
  const stops = handling === 'stop-before-partial';
  if (padding === '' && (left === 0 || (left > 1 && handling === 'loose'))) return digits;
  if (stops && (padding === '' || (padding === '=' && left === 2))) return digits.slice(0, digits.length - left);
  if (left < 2 || padding !== '='.repeat(4 - left)) throw new SyntaxError('not base64, or its last chunk is not whole');
  if (handling === 'strict' && !(left === 2 ? /[AQgw]$/ : /[AEIMQUYcgkosw048]$/).test(digits))
    throw new SyntaxError('not base64: the last digit has bits that no byte takes');
  return digits;
};

const hexDigits = '0123456789abcdef';

/** The bytes as hex digits, in lower case. */
export const hexOf = (bytes: Uint8Array): string => {
  const digits: string[] = [];
  for (const byte of bytes) digits.push(hexDigits.charAt(byte >> 4), hexDigits.charAt(byte & 15));
  return digits.join('');
};

/** The bytes in `text`. @throws {SyntaxError} when it isn't hex */
export const bytesOfHex = (text: string): Uint8Array<ArrayBuffer> => {
  demandText(text, 'hex digits');
  if (text.length % 2 === 1 || /[^\da-f]/i.test(text)) throw new SyntaxError('not pairs of hex digits');
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return bytes;
};

const demandText = (value: unknown, what: string): void => {
  if (typeof value !== 'string') throw new TypeError(`${what} are given as text: received ${typeof value}`);
};

const demandAlphabet = (alphabet: string): void => {
  if (alphabet !== 'base64' && alphabet !== 'base64url')
    throw new TypeError(`alphabet is base64 or base64url: received ${alphabet}`);
};

/** The methods of arrays. */
export const byteMethods = {
  toBase64(this: Uint8Array, options?: ToBase64Options): string {
    return base64Of(this, options);
  },
  toHex(this: Uint8Array): string {
    return hexOf(this);
  },
} as const;
