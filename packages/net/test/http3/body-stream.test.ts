/**
 * Large bodies: what is under way at a time is bounded, whatever the length. The transport is slow, so that only one of them
 * has 100 MB.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { latch, openPair } from '../fixtures/peers.ts';

const uploadBytes = 100_000_000;
const downloadBytes = 20_000_000;
const pieceBytes = 50_000;
/** The windows of the transport (1.25 MB a stream) and what hangs in the native module's own queues. */
const aheadBytesMax = 8_000_000;
/** Room for garbage: all pieces are converted to arrays of numbers and back. */
const rssGrowthBytesMax = 150_000_000;

interface Progress {
  readonly totalBytes: number;
  sentBytes: number;
  takenBytes: number;
  aheadBytes: number;
}

const source = (progress: Progress): ReadableStream<Uint8Array> =>
  new ReadableStream(
    {
      pull: (controller) => {
        if (progress.sentBytes >= progress.totalBytes) return controller.close();
        controller.enqueue(new Uint8Array(pieceBytes).fill(progress.sentBytes / pieceBytes));
        progress.sentBytes += pieceBytes;
        progress.aheadBytes = Math.max(progress.aheadBytes, progress.sentBytes - progress.takenBytes);
      },
    },
    { highWaterMark: 0 },
  );

const take = async (body: ReadableStream<Uint8Array> | null, progress: Progress): Promise<void> => {
  for await (const piece of body ?? []) {
    const first = Math.floor(progress.takenBytes / pieceBytes) & 0xff;
    assert.equal(piece[0], first, `after ${progress.takenBytes} bytes`);
    progress.takenBytes += piece.length;
  }
};

const holds = (progress: Progress, rssBefore: number): void => {
  assert.equal(progress.takenBytes, progress.totalBytes);
  assert.ok(progress.aheadBytes < aheadBytesMax, `the sender was ${progress.aheadBytes} bytes ahead`);
  const grown = process.memoryUsage.rss() - rssBefore;
  assert.ok(grown < rssGrowthBytesMax, `memory has grown by ${grown} bytes`);
};

const newProgress = (totalBytes: number): Progress => ({ totalBytes, sentBytes: 0, takenBytes: 0, aheadBytes: 0 });

test('an upload of 100 MB arrives whole, its sender never far ahead of its reader', async () => {
  const progress = newProgress(uploadBytes);
  await using pair = await openPair({
    handler: async (request) => {
      await take(request.body, progress);
      return new Response();
    },
  });
  const before = process.memoryUsage.rss();
  const options = { method: 'POST', body: source(progress), deadlineMs: Infinity };
  assert.equal((await pair.client.fetch('/', options)).status, 200);
  holds(progress, before);
});

test('a large download arrives whole, its sender never far ahead of its reader', async () => {
  const progress = newProgress(downloadBytes);
  await using pair = await openPair({ handler: () => new Response(source(progress)) });
  const before = process.memoryUsage.rss();
  await take((await pair.client.fetch('/')).body, progress);
  holds(progress, before);
});

test('an upload to a handler that does not read stands still, and goes on when it does', async () => {
  const progress = newProgress(uploadBytes);
  const read = latch();
  await using pair = await openPair({
    handler: async (request) => {
      if (request.method === 'GET') return new Response();
      await read.promise;
      for await (const piece of request.body ?? []) progress.takenBytes += piece.length;
      return new Response();
    },
    requestBodyBytesMax: uploadBytes,
  });
  const caller = new AbortController();
  const options = { method: 'POST', body: source(progress), deadlineMs: Infinity, signal: caller.signal };
  const upload = pair.client.fetch('/', options);
  let before = -1;
  while (before !== progress.sentBytes || before === 0) {
    before = progress.sentBytes;
    // Time passes on the same connection until nothing more is taken from the source.
    for (let round = 0; round < 30; round += 1) await (await pair.client.fetch('/')).text();
  }
  assert.ok(progress.sentBytes < aheadBytesMax, `${progress.sentBytes} bytes were sent to nobody`);
  read.resolve();
  while (progress.takenBytes < 2 * before) await (await pair.client.fetch('/')).text();
  caller.abort();
  await assert.rejects(upload);
});
