import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import { http3CodeName } from '../../src/http3/error.ts';
import { frame, frameHead, frameTypes } from '../../src/http3/frame.ts';
import type { BidirectionalStream } from '../../src/index.ts';
import { endOf, latch } from '../fixtures/peers.ts';
import { data, grease, headers, openRawServer, openStream, type RawServer } from '../fixtures/raw-peer.ts';

const answering =
  (...pieces: readonly Uint8Array[]) =>
  async ({ send, receive }: BidirectionalStream): Promise<void> => {
    await receive.read(4_096);
    for (const piece of pieces) await send.writeAll(piece);
    await send.finish();
  };

const ok = headers([[':status', '200']]);
const isLost = (thrown: unknown): boolean => {
  assert.ok(thrown instanceof MvmError, String(thrown));
  assert.equal(thrown.code, 'CONNECTION_LOST', thrown.message);
  return true;
};

test('interim answers, grease and split frames are taken as they come', async () => {
  const early = headers([
    [':status', '103'],
    ['link', '</style.css>'],
  ]);
  await using pair = await openRawServer(
    answering(grease, early, grease, ok, data(Buffer.from('he')), grease, data(Buffer.from('y'))),
  );
  const response = await pair.client.fetch('/');
  assert.equal(response.status, 200);
  assert.equal(await response.text(), 'hey');
});

test('an answer that is shorter or longer than announced is an error', async () => {
  const announced = headers([
    [':status', '200'],
    ['content-length', '10'],
  ]);
  const untrailed = headers([
    [':status', '200'],
    ['trailer', 'mvm-body-length'],
  ]);
  const cases = [
    [announced, data(Buffer.from('12345'))],
    [announced, data(Buffer.from('12345678901'))],
    [announced, frameHead(frameTypes.DATA, 10), Buffer.from('123')],
    [untrailed, data(Buffer.from('12345'))],
    [untrailed, data(Buffer.from('12345')), headers([['mvm-body-length', '6']])],
    [ok, frameHead(frameTypes.DATA, 10), Buffer.from('123')],
  ];
  for (const pieces of cases) {
    await using pair = await openRawServer(answering(...pieces));
    await assert.rejects(async () => (await pair.client.fetch('/')).text(), isLost);
  }
});

test('an answer without a head, or that breaks the rules, is an error', async () => {
  const cases = [
    [],
    [data(Buffer.from('x'))],
    [headers([[':status', 'abc']])],
    [headers([['x', 'y']])],
    [frame(frameTypes.PUSH_PROMISE, Uint8Array.of(0))],
    [frameHead(frameTypes.HEADERS, 10_000_000)],
    [frame(frameTypes.HEADERS, Uint8Array.of(0, 0, 0x80))],
  ];
  for (const pieces of cases) {
    await using pair = await openRawServer(answering(...pieces));
    await assert.rejects(pair.client.fetch('/'), isLost);
  }
});

test('a server that opens a bidirectional stream, or pushes, loses the connection', async () => {
  for (const [code, violate] of [
    ['H3_STREAM_CREATION_ERROR', async ({ connection }) => (await connection.openBidirectional()).send.writeAll(ok)],
    ['H3_ID_ERROR', async ({ connection }) => openStream(connection, 1)],
    ['H3_FRAME_UNEXPECTED', async ({ control }) => control.writeAll(frame(frameTypes.MAX_PUSH_ID, Uint8Array.of(0)))],
    ['H3_ID_ERROR', async ({ control }) => control.writeAll(frame(frameTypes.GOAWAY, Uint8Array.of(3)))],
  ] as readonly (readonly [string, (pair: RawServer) => Promise<unknown>])[]) {
    await using pair = await openRawServer(async () => undefined);
    const held = await violate(pair);
    const { by, code: number } = await endOf(pair.connection);
    assert.deepEqual([by, http3CodeName(number ?? -1)], ['peer', code]);
    assert.notEqual(held, null);
  }
});

test('a head that is larger than the server takes is refused before it is sent', async () => {
  await using pair = await openRawServer(answering(ok));
  await (await pair.client.fetch('/')).text();
  const tooLarge = pair.client.fetch('/', { headers: { 'x-large': 'a'.repeat(65_536) } });
  await assert.rejects(tooLarge, (thrown) => thrown instanceof MvmError && thrown.code === 'INVALID_ARGUMENT');
});

test('a request that the server rejects untouched may be tried elsewhere', async () => {
  await using pair = await openRawServer(async ({ send }) => send.reset(0x10b));
  await assert.rejects(pair.client.fetch('/'), (thrown) => thrown instanceof MvmError && thrown.code === 'UNAVAILABLE');
});

test('a stranger that does not let a cancelled request go loses the connection, after the grace time', async () => {
  const arrived = latch();
  await using pair = await openRawServer(async ({ receive }) => {
    await receive.read(4_096);
    arrived.resolve();
  });
  const caller = new AbortController();
  const poll = pair.client.fetch('/', { signal: caller.signal });
  await arrived.promise;
  caller.abort();
  await assert.rejects(poll, (thrown) => thrown instanceof MvmError && thrown.code === 'CANCELLED');
  assert.equal((await pair.client.closed).by, 'local');
});
