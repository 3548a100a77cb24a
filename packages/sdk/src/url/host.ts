/** Hosts (URL standard, sections 3.5 to 3.7): domains, IPv4 and IPv6 addresses, opaque hosts. */
import { encodeSets, percentDecode, percentEncode } from './percent.ts';
import { labelToAscii } from './punycode.ts';

const forbiddenHost = /[\0\t\n\r #/:<>?@[\\\]^|]/;
// The former, controls, % and DEL (section 3.1); U+FFFD is what bytes that aren't UTF-8 became.
const forbiddenDomain = /[\0-\x20#%/:<>?@[\\\]^|\x7f]/;

/** The host in `text` as it is written in a URL; undefined when it isn't one. */
export const parseHost = (text: string, isSpecial: boolean): string | undefined => {
  if (text.startsWith('[')) return text.endsWith(']') ? bracketed(parseIpv6(text.slice(1, -1))) : undefined;
  if (!isSpecial) return forbiddenHost.test(text) ? undefined : percentEncode(text, encodeSets.control);
  const decoded = percentDecode(text);
  const domain = decoded.includes('\ufffd') ? '' : domainToAscii(decoded);
  if (domain === '' || forbiddenDomain.test(domain)) return undefined;
  return endsInNumber(domain) ? parseIpv4(domain) : domain;
};

/**
 * UTS #46 in short: compatibility forms, lower case, the ideographic full stops, soft hyphens and joiners removed. It
 * doesn't check which scripts a label mixes.
 */
const domainToAscii = (domain: string): string => {
  if (!/[^\0-\x7f]/.test(domain)) return domain.toLowerCase();
  const mapped = domain
    .replace(/[\u00ad\u200b-\u200d\u2060\ufeff]/g, '')
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFC');
  return mapped
    .replace(/[\u3002\uff0e\uff61]/g, '.')
    .split('.')
    .map(labelToAscii)
    .join('.');
};

const endsInNumber = (domain: string): boolean => {
  const parts = domain.split('.');
  if (parts.at(-1) === '' && parts.length > 1) parts.pop();
  return /^(\d+|0x[\da-f]*)$/i.test(parts.at(-1) ?? '');
};

const parseIpv4 = (domain: string): string | undefined => {
  const parts = domain.split('.');
  if (parts.at(-1) === '' && parts.length > 1) parts.pop();
  const numbers = parts.map(ipv4Number);
  const last = numbers.pop() ?? Number.NaN;
  if (numbers.length > 3 || numbers.some((number) => !(number <= 255))) return undefined;
  if (!(last < 256 ** (4 - numbers.length))) return undefined;
  const address = numbers.reduce((sum, number, index) => sum + number * 256 ** (3 - index), last);
  return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join('.');
};

const ipv4Number = (text: string): number => {
  if (/^0x[\da-f]*$/i.test(text)) return text.length === 2 ? 0 : Number.parseInt(text, 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN;
};

/** Eight pieces of 16 bits; undefined when `text` isn't an address. */
const parseIpv6 = (text: string): readonly number[] | undefined => {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = [ipv6Pieces(halves[0] ?? '', halves.length === 1), ipv6Pieces(halves[1] ?? '', true)];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1) return missing === 0 ? head : undefined;
  return missing > 0 ? [...head, ...Array.from({ length: missing }, () => 0), ...tail] : undefined;
};

const ipv6Pieces = (text: string, isEnd: boolean): readonly number[] | undefined => {
  if (text === '') return [];
  const parts = text.split(':');
  const last = parts.at(-1) ?? '';
  const dotted = isEnd && last.includes('.') ? dottedPieces(last) : [];
  if (!dotted) return undefined;
  if (dotted.length > 0) parts.pop();
  if (!parts.every((part) => /^[\da-f]{1,4}$/i.test(part))) return undefined;
  return [...parts.map((part) => Number.parseInt(part, 16)), ...dotted];
};

const dottedPieces = (text: string): readonly number[] | undefined => {
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text);
  const [a = 256, b = 256, c = 256, d = 256] = match?.slice(1).map(Number) ?? [];
  return Math.max(a, b, c, d) > 255 ? undefined : [a * 256 + b, c * 256 + d];
};

/** Section 3.6: the first longest run of at least two zero pieces is left out. */
const bracketed = (pieces: readonly number[] | undefined): string | undefined => {
  if (!pieces) return undefined;
  const text = pieces.map((piece) => piece.toString(16)).join(':');
  const runs = [...text.matchAll(/(?<![\da-f])0(?::0(?![\da-f]))+/g)].sort((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (!longest) return `[${text}]`;
  const before = text.slice(0, longest.index).replace(/:$/, '');
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, '');
  return `[${before}::${after}]`;
};
