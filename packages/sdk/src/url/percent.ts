/** Percent-encoding (URL standard, section 1.3): the sets, as patterns of what must be encoded. */
import { decodeUtf8, encodeUtf8 } from '../prelude/text-codec.ts';

/** Names of the percent-encode sets that we need. */
export type EncodeSet = 'control' | 'fragment' | 'query' | 'specialQuery' | 'path' | 'userinfo' | 'form';

/** The percent-encode sets of the URL standard, each as a pattern of its code points. */
export const encodeSets: Readonly<Record<EncodeSet, RegExp>> = {
  control: /[^\x20-\x7e]/gu,
  fragment: /[^\x21\x23-\x3b\x3d\x3f-\x5f\x61-\x7e]/gu,
  query: /[^\x21\x24-\x3b\x3d\x3f-\x7e]/gu,
  specialQuery: /[^\x21\x24-\x26\x28-\x3b\x3d\x3f-\x7e]/gu,
  path: /[^\x21\x24-\x3b\x3d\x40-\x5d\x5f\x61-\x7a\x7c\x7e]/gu,
  userinfo: /[^\x21\x24-\x2e\x30-\x39\x41-\x5a\x5f\x61-\x7a\x7e]/gu,
  form: /[^*\-.0-9A-Z_a-z]/gu,
};

/** `text` with every code point that `set` matches percent-encoded as UTF-8. */
export const percentEncode = (text: string, set: RegExp): string => text.replace(set, encodeCharacter);

const encodeCharacter = (character: string): string =>
  [...encodeUtf8(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');

/** `text` with its percent-encoded bytes decoded as UTF-8; what isn't UTF-8 becomes U+FFFD. */
export const percentDecode = (text: string): string =>
  text.replace(/(?:%[\da-f]{2})+/gi, (run) => {
    const bytes = run.match(/[\da-f]{2}/gi) ?? [];
    return decodeUtf8(Uint8Array.from(bytes, (hex) => Number.parseInt(hex, 16))).text;
  });
