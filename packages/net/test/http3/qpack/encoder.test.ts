import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodeFieldSection } from '../../../src/http3/qpack/encoder.ts';

const hex = (lines: readonly (readonly [string, string])[]): string =>
  Buffer.from(encodeFieldSection(lines)).toString('hex');

test('a line of the static table is one or two bytes', () => {
  assert.equal(hex([[':method', 'GET']]), '0000d1');
  assert.equal(hex([[':status', '500']]), '0000ff08');
});

test('a name of the static table is referred to by its first entry', () => {
  assert.equal(hex([[':path', '/index.html']]).slice(0, 6), '000051');
});

test('secrets are marked as never to be indexed', () => {
  const [, , authorization = 0] = encodeFieldSection([['authorization', 'Bearer x']]);
  const [, , cookie = 0] = encodeFieldSection([['cookie', '']]);
  assert.equal(authorization & 0x60, 0x60);
  assert.equal(cookie & 0x60, 0x60, 'also when the whole line is in the table');
});

test('text that Huffman coding would lengthen stays as it is', () => {
  const bytes = encodeFieldSection([['x', '\u00ff\u00ff']]);
  assert.ok(Buffer.from(bytes).includes(Buffer.from([0xff, 0xff])));
});
