/**
 * The Huffman code of RFC 7541 appendix B. It is canonical: the lengths decide the codes, which are given out by
 * length, and within a length by symbol.
 *
 *   1. Padding is at most 7 bits, all ones; anything else is an error (RFC 7541 section 5.2).
 *   2. The end-of-string symbol in the input is an error.
 */
import { Http3Error } from '../error.ts';

const END_OF_STRING = 256;

/** Bits of the code of each byte, and of the end-of-string symbol. */
// oxfmt-ignore
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const symbols = codeLengths.map((length, symbol) => ({ length, symbol }));

const codes: Uint32Array = new Uint32Array(codeLengths.length);

/** The code as a binary tree: at 2 × node + bit stands the next node, or -1 - symbol. */
const tree: number[] = [0, 0];

const grow = (symbol: number, code: number, length: number): void => {
  let node = 0;
  for (let bit = length - 1; bit > 0; bit -= 1) {
    const branch = 2 * node + ((code >>> bit) & 1);
    if (!tree[branch]) {
      tree[branch] = tree.length / 2;
      tree.push(0, 0);
    }
    node = tree[branch] ?? 0;
  }
  tree[2 * node + (code & 1)] = -1 - symbol;
};

let nextCode = 0;
let previousLength = 0;
for (const { length, symbol } of symbols.toSorted(
  (one, other) => one.length - other.length || one.symbol - other.symbol,
)) {
  nextCode *= 2 ** (length - previousLength);
  codes[symbol] = nextCode;
  grow(symbol, nextCode, length);
  nextCode += 1;
  previousLength = length;
}

const branches = Int16Array.from(tree);

/** The bytes that {@link huffmanEncode} makes of `text` (characters up to U+00FF). */
export const huffmanSize = (text: string): number => {
  let bits = 0;
  for (let index = 0; index < text.length; index += 1) bits += codeLengths[text.charCodeAt(index)] ?? 0;
  return Math.ceil(bits / 8);
};

/** Encodes characters up to U+00FF into `target` from `start` on, where {@link huffmanSize} bytes have room. */
export const huffmanEncodeInto = (text: string, target: Uint8Array, start: number): void => {
  let offset = start;
  let held = 0;
  let room = 8;
  for (let index = 0; index < text.length; index += 1) {
    const symbol = text.charCodeAt(index);
    const code = codes[symbol] ?? 0;
    let left = codeLengths[symbol] ?? 0;
    while (left > 0) {
      const taken = Math.min(left, room);
      left -= taken;
      room -= taken;
      held |= ((code >>> left) & ((1 << taken) - 1)) << room;
      if (room > 0) continue;
      target[offset] = held;
      offset += 1;
      held = 0;
      room = 8;
    }
  }
  if (room < 8) target[offset] = held | (0xff >> (8 - room));
};

/** Decodes to characters up to U+00FF. @throws Http3Error QPACK_DECOMPRESSION_FAILED */
export const huffmanDecode = (bytes: Uint8Array): string => {
  let text = '';
  let node = 0;
  let bitsSinceSymbol = 0;
  let areAllOnes = true;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const branch = (byte >> bit) & 1;
      const next = branches[2 * node + branch] ?? 0;
      bitsSinceSymbol += 1;
      areAllOnes &&= branch === 1;
      node = next;
      if (next < 0) {
        text += symbolText(-1 - next);
        node = 0;
        bitsSinceSymbol = 0;
        areAllOnes = true;
      }
    }
  }
  if (bitsSinceSymbol > 7 || !areAllOnes) throw new Http3Error('QPACK_DECOMPRESSION_FAILED', 'wrong Huffman padding');
  return text;
};

const symbolText = (symbol: number): string => {
  if (symbol === END_OF_STRING) throw new Http3Error('QPACK_DECOMPRESSION_FAILED', 'end of string inside a string');
  return String.fromCharCode(symbol);
};
