import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { secretPlaceholder } from '@mvm-ci/protocol';
import { Veil } from '../../src/effects/veil.ts';

const value = `it's "p\\ä/ß€" & <more>+(x)!`;
const shown = secretPlaceholder('KEY');
const veil = new Veil([['KEY', value]]);

const inPieces = async function* (body: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < body.length; at += size) yield await Promise.resolve(body.subarray(at, at + size));
};

const passed = async (through: Veil, body: Uint8Array, size: number): Promise<string> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of through.source(inPieces(body, size))) pieces.push(piece);
  return Buffer.concat(pieces).toString();
};

describe('a veil', () => {
  it('hides a value as it is, and as URLs, forms, JSON and HTML write it', () => {
    const written = [
      value,
      encodeURIComponent(value),
      new URL(`http://api.test/?${encodeURIComponent(value)}`).search.slice(1),
      encodeURIComponent(value).replaceAll(/%../g, (byte) => byte.toLowerCase()),
      new URLSearchParams([['', value]]).toString().slice(1),
      JSON.stringify(value).slice(1, -1),
      JSON.stringify(value).slice(1, -1).replaceAll('/', '\\/'),
      JSON.stringify(value).slice(1, -1).replace('ä', '\\u00e4').replace('ß', '\\u00df').replace('€', '\\u20ac'),
      'it&#39;s &quot;p\\ä/ß€&quot; &amp; &lt;more&gt;+(x)!',
    ];
    for (const text of written) {
      assert.equal(veil.text(`<${text}>`), `<${shown}>`);
      assert.equal(Buffer.from(veil.bytes(Buffer.from(`ö${text}ö`))).toString(), `ö${shown}ö`);
    }
  });

  it('hides a value in base64, wherever it begins, and leaves nothing of it but what it shares a character with', () => {
    const long = 'a long value, with ÿÿÿÿ>>>>????';
    const known = new Veil([['KEY', long]]);
    for (const before of ['', 'a', 'ab', 'abc'])
      for (const alphabet of ['base64', 'base64url'] as const) {
        const written = Buffer.from(`${before}${long}z`).toString(alphabet);
        const [first = '', second = '', ...more] = known.text(written).split(shown);
        assert.deepEqual(more, []);
        assert.ok(first.length <= 5 && second.length <= 4, known.text(written));
      }
  });

  it('leaves alone what looks like a short value in base64', () => {
    assert.equal(new Veil([['KEY', 'abc']]).text('YWJj'), 'YWJj');
  });

  it('hides a value that a header brings back as bytes, and one in Latin-1', () => {
    const umlauts = new Veil([['KEY', 'pässwörd']]);
    assert.equal(umlauts.text(Buffer.from('is pässwörd').toString('latin1')), `is ${shown}`);
    assert.equal(umlauts.text(Buffer.from('is pässwörd', 'latin1').toString()), `is ${shown}`);
    assert.equal(Buffer.from(umlauts.bytes(Buffer.from('is pässwörd', 'latin1'))).toString(), `is ${shown}`);
  });

  it('hides a value whose blanks at the ends got lost on the way, as those of a header do', () => {
    assert.equal(new Veil([['KEY', 'token\n']]).text('got token, and token\n'), `got ${shown}, and ${shown}`);
  });

  it('takes the longer one of two values that begin alike, also where a piece ends between', async () => {
    const [short, long] = [secretPlaceholder('SHORT'), secretPlaceholder('LONG')];
    const two = new Veil([
      ['SHORT', 'abc'],
      ['LONG', 'abcdef'],
    ]);
    assert.equal(two.text('abcdef abcde'), `${long} ${short}de`);
    for (const size of [1, 2, 3, 4, 100])
      assert.equal(await passed(two, Buffer.from('abcdef abcde abc'), size), `${long} ${short}de ${short}`);
  });

  it('leaves everything else as it is, to the byte', async () => {
    const bytes = Uint8Array.from({ length: 1_000 }, (_, at) => (at * 7) % 256);
    assert.equal(veil.bytes(bytes), bytes);
    const pieces: Uint8Array[] = [];
    for await (const piece of veil.source(inPieces(bytes, 33))) pieces.push(piece);
    assert.deepEqual(new Uint8Array(Buffer.concat(pieces)), bytes);
    assert.equal(new Veil([['KEY', 'mvm']]).text('mvm'), shown);
  });
});
