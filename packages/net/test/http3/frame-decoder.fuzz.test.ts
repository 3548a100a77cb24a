/**
 * A seeded mutational fuzzer over the corpus: no input crashes a reader (only an Http3Error comes out), hangs it, or
 * makes it hold more than the input and its limits.
 *
 * Files of `corpus/` have one input a line: what reads it, its bytes in hex, and behind # what it is. FUZZ_ROUNDS and
 * FUZZ_SEED ask for a longer or another run.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { Http3Error } from '../../src/http3/error.ts';
import {
  controlStreamRules,
  FrameDecoder,
  requestStreamRules,
  type FrameEvent,
} from '../../src/http3/frame-decoder.ts';
import { readRequestHead, readResponseHead, readTrailers } from '../../src/http3/message-head.ts';
import { decodeFieldSection } from '../../src/http3/qpack/decoder.ts';
import { fieldLineSize } from '../../src/http3/qpack/field-line.ts';
import { huffmanDecode } from '../../src/http3/qpack/huffman.ts';
import { readSettings } from '../../src/http3/settings.ts';
import { readVarints } from '../../src/http3/varint.ts';
import { push } from '../fixtures/frames.ts';

const sectionBytesMax = 2_000;

/** Reads frames in pieces of several sizes, and the heads in them; holds what comes out against what went in. */
const readFrames = (bytes: Uint8Array, isControl: boolean): void => {
  for (const pieceBytes of [1, 7, 1_000]) {
    const rules = isControl ? controlStreamRules(sectionBytesMax) : requestStreamRules('server', sectionBytesMax);
    const decoder = new FrameDecoder(rules);
    const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
      bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
    );
    const events = pieces.flatMap((piece) => push(decoder, piece));
    const produced = events.reduce((total, event) => total + sizeOf(event), 0);
    for (const event of events) if (event.kind === 'frame') readPayload(event, isControl);
    assert.ok(produced <= bytes.length, 'more came out than went in');
  }
};

const sizeOf = (event: FrameEvent): number => (event.kind === 'data' ? event.bytes : event.payload).length;

const readPayload = (event: Extract<FrameEvent, { kind: 'frame' }>, isControl: boolean): void => {
  assert.ok(event.payload.buffer.byteLength <= 2 * sectionBytesMax + 1_000, 'a frame holds more than its limit');
  if (isControl) readSettings(event.payload);
  else readSection(event.payload);
};

const readSection = (bytes: Uint8Array): void => {
  const lines = decodeFieldSection(bytes, sectionBytesMax);
  assert.ok(lines.reduce((size, line) => size + fieldLineSize(line), 0) <= sectionBytesMax, 'more than the limit');
  for (const read of [readRequestHead, readResponseHead, readTrailers]) attempt(() => read(lines));
};

const readers: Readonly<Record<string, (bytes: Uint8Array) => void>> = {
  request: (bytes) => readFrames(bytes, false),
  control: (bytes) => readFrames(bytes, true),
  section: readSection,
  settings: readSettings,
  varints: readVarints,
  huffman: (bytes) =>
    assert.ok(huffmanDecode(bytes).length * 5 <= bytes.length * 8, 'more than 8 characters in 5 bytes'),
};

/** Runs a reader; anything but an error of HTTP/3 is a finding. */
const attempt = (read: () => void): 'read' | 'refused' => {
  try {
    read();
    return 'read';
  } catch (thrown) {
    if (thrown instanceof Http3Error) return 'refused';
    throw thrown;
  }
};

interface Input {
  readonly reader: string;
  readonly bytes: Uint8Array;
  readonly what: string;
}

const folder = new URL('corpus/', import.meta.url);
const corpus: readonly Input[] = readdirSync(folder).flatMap((file) =>
  readFileSync(new URL(file, folder), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line): Input => {
      const [input = '', what = ''] = line.split('#');
      const [reader = '', ...hex] = input.trim().split(' ');
      return { reader, bytes: Uint8Array.fromHex(hex.join('')), what: what.trim() };
    }),
);

/** Numbers from 0 to below `limit`; the same for the same seed (mulberry32). */
const randomOf = (seed: number): ((limit: number) => number) => {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
};

/** Bytes at which readers change their mind. */
const edges = [0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff];

const mutate = (bytes: Uint8Array, other: Uint8Array, random: (limit: number) => number): Uint8Array => {
  const result = [...bytes];
  for (let change = random(4); change >= 0; change -= 1) {
    const at = random(result.length + 1);
    const kinds = [
      (): unknown => result.splice(at, 1, random(256)),
      (): unknown => result.splice(at, 1, edges[random(edges.length)] ?? 0),
      (): unknown => result.splice(at, 0, edges[random(edges.length)] ?? 0),
      (): unknown => result.splice(at, random(8)),
      (): unknown => result.splice(at, 0, ...result.slice(at, at + random(16))),
      (): unknown => result.splice(at, random(8), ...other.slice(random(other.length + 1)).slice(0, 64)),
    ];
    kinds[random(kinds.length)]?.();
  }
  return Uint8Array.from(result.slice(0, 4_096));
};

describe('the corpus', () => {
  for (const { reader, bytes, what } of corpus) {
    test(`${reader}: ${what}`, () => {
      const read = readers[reader];
      assert.ok(read, `nothing is called ${reader}`);
      const isGood = !what.startsWith('bad');
      assert.equal(
        attempt(() => read(bytes)),
        isGood ? 'read' : 'refused',
      );
    });
  }
});

test('mutations of the corpus are read or refused, and nothing else', () => {
  const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 20_000);
  const seed = Number(process.env['FUZZ_SEED'] ?? 1);
  const random = randomOf(seed);
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const { reader, bytes } = corpus[random(corpus.length)] ?? { reader: '', bytes: new Uint8Array() };
    const input = mutate(bytes, corpus[random(corpus.length)]?.bytes ?? bytes, random);
    try {
      outcomes[attempt(() => readers[reader]?.(input))] += 1;
    } catch (thrown) {
      throw new Error(`round ${round} of seed ${seed}: ${reader} ${input.toHex()}`, { cause: thrown });
    }
  }
  assert.ok(outcomes.read > rounds / 20 && outcomes.refused > rounds / 20, JSON.stringify(outcomes));
});
