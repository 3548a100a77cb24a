/** Base64 (RFC 4648 section 4) for `atob`, `btoa` and bodies. */

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const values = new Map(Array.from(digits, (digit, value) => [digit, value]));

/** The bytes as base64. */
export const toBase64 = (bytes: Uint8Array): string => {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b, c] = [bytes[at] ?? 0, bytes[at + 1], bytes[at + 2]];
    text += digits.charAt(a >> 2) + digits.charAt(((a & 3) << 4) | ((b ?? 0) >> 4));
    text += b === undefined ? '=' : digits.charAt(((b & 15) << 2) | ((c ?? 0) >> 6));
    text += c === undefined ? '=' : digits.charAt(c & 63);
  }
  return text;
};

/**
 * The bytes in base64 text, forgiving as in the Infra standard: white space is ignored, padding may be missing.
 *
 * @throws {TypeError} when the text isn't base64.
 */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => {
  const clean = text.replace(/[\t\n\f\r ]+/g, '');
  const data = clean.length % 4 === 0 ? clean.replace(/={1,2}$/, '') : clean;
  if (data.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(data)) throw new TypeError('not base64');
  const bytes = new Uint8Array(Math.floor((data.length * 3) / 4));
  let [bits, count, at] = [0, 0, 0];
  for (const digit of data) {
    bits = ((bits << 6) | (values.get(digit) ?? 0)) & 0xffffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[at] = bits >> count;
    at += 1;
  }
  return bytes;
};

/** `atob`: base64 to a string of bytes. */
export const atob = (text: unknown): string => {
  const bytes = orInvalidCharacter(() => fromBase64(String(text)), 'atob: the text is not base64');
  return [...bytes].map((byte) => String.fromCharCode(byte)).join('');
};

/** `btoa`: a string of bytes to base64. */
export const btoa = (text: unknown): string => {
  const string = String(text);
  if (/[^\0-\xff]/.test(string)) throw invalidCharacter('btoa: the text has a character above U+00FF');
  return toBase64(Uint8Array.from(string, (character) => character.charCodeAt(0)));
};

const orInvalidCharacter = <T>(run: () => T, message: string): T => {
  try {
    return run();
  } catch {
    throw invalidCharacter(message);
  }
};

const invalidCharacter = (message: string): DOMException => new DOMException(message, 'InvalidCharacterError');
