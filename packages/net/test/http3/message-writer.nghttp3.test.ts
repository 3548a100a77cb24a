/**
 * Another implementation as a judge: what we write, libnghttp3 reads; what it writes, we read. Needs a C compiler and
 * Debian's libnghttp3-dev; without them the tests are skipped, and say so.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';

import fc from 'fast-check';

import { joinBytes } from '../../src/bytes.ts';
import { requestStreamRules } from '../../src/http3/frame-decoder.ts';
import { MessageReader } from '../../src/http3/message-reader.ts';
import { MessageWriter } from '../../src/http3/message-writer.ts';
import type { FieldLine } from '../../src/http3/qpack/field-line.ts';
import { staticTable } from '../../src/http3/qpack/static-table.ts';
import type { ReceiveHalf, SendHalf } from '../../src/index.ts';
import { compile, skipWithoutNghttp3 } from '../fixtures/nghttp3.ts';

const hex = (bytes: Uint8Array | string): string =>
  (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)).toString('hex');
const fieldsText = (lines: readonly FieldLine[]): string =>
  lines.map(([name, value]) => `${hex(name)}=${hex(value)}`).join(',') || '-';
const bytesText = (bytes: Uint8Array): string => hex(bytes) || '-';

/** The bytes that our writer makes of a message. */
const written = async (lines: readonly FieldLine[], body: Uint8Array, isStreamed: boolean): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = [];
  const half: SendHalf = {
    id: () => Promise.resolve(0),
    writeAll: (bytes) => Promise.resolve(void pieces.push(bytes)),
    finish: () => Promise.resolve(),
    reset: () => Promise.resolve(),
  };
  const writer = new MessageWriter(half);
  await writer.start(lines, isStreamed ? undefined : body);
  if (isStreamed) await writer.piece(body);
  await writer.finish({ withLength: isStreamed });
  return joinBytes(pieces);
};

/** What our reader finds in the bytes of a message. */
const read = async (bytes: Uint8Array): Promise<{ lines: FieldLine[]; body: Uint8Array }> => {
  let rest = bytes;
  const half: ReceiveHalf = {
    read: (bytesMax) => {
      const piece = rest.subarray(0, Math.min(bytesMax, 1_000));
      rest = rest.subarray(piece.length);
      return Promise.resolve(piece);
    },
    stop: () => Promise.resolve(),
  };
  const reader = new MessageReader(half, requestStreamRules('server', 65_536));
  const lines = await reader.head();
  reader.expectBody(undefined, new Headers());
  const pieces: Uint8Array[] = [new Uint8Array(0)];
  for (let piece = await reader.piece(); piece; piece = await reader.piece()) pieces.push(piece);
  return { lines, body: joinBytes(pieces) };
};

const name = fc.stringMatching(/^x-[a-z0-9-]{1,20}$/);
const value = fc.stringMatching(/^(?:[!-~](?:[ -~]{0,60}[!-~])?)?$/);
/** Lines of the static table that any message may carry any number of times. */
const harmless = new Set(['accept', 'cache-control', 'vary', 'accept-ranges', 'server', 'user-agent', 'link']);
const known = fc.constantFrom(...staticTable.filter(([entry]) => harmless.has(entry)));
const headers: fc.Arbitrary<FieldLine[]> = fc.array(fc.oneof(fc.tuple(name, value), known), { maxLength: 12 });
const body = fc.uint8Array({ maxLength: 3_000 });
const request = headers.map((lines): FieldLine[] => [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':authority', 'example.com'],
  [':path', '/some/path?query'],
  ...lines,
]);
const response = fc
  .tuple(fc.constantFrom('200', '404', '503', '299', '500'), headers)
  .map(([status, lines]): FieldLine[] => [[':status', status], ...lines]);

describe('against libnghttp3', { skip: skipWithoutNghttp3 }, () => {
  let driver: ChildProcessByStdio<Writable, Readable, null>;
  let answers: AsyncIterator<string>;
  let dispose: () => Promise<void>;

  before(async () => {
    const compiled = await compile('nghttp3-driver');
    ({ dispose } = compiled);
    driver = spawn(compiled.program, { stdio: ['pipe', 'pipe', 'inherit'] });
    answers = createInterface(driver.stdout)[Symbol.asyncIterator]();
  });

  after(async () => {
    driver.stdin.end();
    await once(driver, 'exit');
    await dispose();
  });

  const ask = async (command: string): Promise<string> => {
    driver.stdin.write(`${command}\n`);
    const answer = await answers.next();
    assert.ok(answer.done !== true, 'the driver ended');
    return answer.value;
  };

  for (const [kind, message, write, decode] of [
    ['request', request, 'Q', 'q'],
    ['response', response, 'P', 'p'],
  ] as const) {
    test(`a ${kind} of ours is read by it, byte for byte`, async () => {
      await fc.assert(
        fc.asyncProperty(message, body, fc.boolean(), async (lines, bytes, isStreamed) => {
          const answer = await ask(`${decode} ${hex(await written(lines, bytes, isStreamed))}`);
          const trailer = isStreamed ? fieldsText([['mvm-body-length', String(bytes.length)]]) : '-';
          assert.equal(answer, `${fieldsText(lines)} ${bytesText(bytes)} ${trailer}`);
        }),
        { numRuns: 150 },
      );
    });

    test(`a ${kind} of its own is read by us, byte for byte`, async () => {
      await fc.assert(
        fc.asyncProperty(message, body, async (lines, bytes) => {
          const answer = await ask(`${write} ${fieldsText(lines)} ${bytesText(bytes)}`);
          assert.doesNotMatch(answer, /error/);
          assert.deepEqual(await read(Buffer.from(answer, 'hex')), { lines, body: bytes });
        }),
        { numRuns: 150 },
      );
    });
  }
});
