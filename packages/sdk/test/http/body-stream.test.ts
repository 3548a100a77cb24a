import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BodyStream } from '../../src/http/body-stream.ts';

const bytes = new Uint8Array([1, 2, 3]);

type Stream = BodyStream | ReadableStream<Uint8Array>;

const outcome = async (run: () => unknown): Promise<unknown> => {
  try {
    return await run();
  } catch (error) {
    return error instanceof Error ? `threw ${error.name}` : `threw ${String(error)}`;
  }
};

const piecesOf = async (stream: Stream): Promise<number[][]> => {
  const pieces: number[][] = [];
  for await (const piece of stream) pieces.push([...piece]);
  return pieces;
};

const scenes: Readonly<Record<string, (stream: Stream) => Promise<unknown>>> = {
  'a loop': async (stream) => [await piecesOf(stream), await piecesOf(stream), stream.locked],
  'a reader, its lock and its end': async (stream) => {
    const reader = stream.getReader();
    const seen = [stream.locked, await outcome(() => stream.getReader()), await outcome(() => stream.cancel())];
    const reads = [await reader.read(), await reader.read(), await reader.read(), await reader.closed];
    reader.releaseLock();
    return [seen, reads, stream.locked, await outcome(() => reader.read())];
  },
  'reads at the same time': async (stream) => {
    const reader = stream.getReader();
    return Promise.all([reader.read(), reader.read(), reader.read()]);
  },
  'both halves': async (stream) => {
    const [first, second] = stream.tee();
    const halves = [await piecesOf(first), await piecesOf(second)];
    return [halves, stream.locked];
  },
  'a loop that is left': async (stream) => {
    for await (const piece of stream) if (piece.length > 0) break;
    return [stream.locked, await piecesOf(stream)];
  },
  'cancelled before anything is read': async (stream) => {
    await stream.cancel();
    return piecesOf(stream);
  },
};

describe("the stream of a workflow's body", () => {
  for (const [name, scene] of Object.entries(scenes)) {
    it(`does as one of Node's with one piece: ${name}`, async () => {
      const ours = await outcome(() => scene(new BodyStream(() => Promise.resolve(bytes))));
      assert.deepEqual(ours, await outcome(() => scene(ReadableStream.from([bytes]))));
    });
  }

  it('fails for whoever reads when the body was read elsewhere', async () => {
    const failing = (): BodyStream => new BodyStream(() => Promise.reject(new TypeError('read already')));
    const reader = failing().getReader();
    assert.equal(await outcome(() => piecesOf(failing())), 'threw TypeError');
    assert.equal(await outcome(() => reader.read()), 'threw TypeError');
    assert.equal(await outcome(() => reader.closed), 'threw TypeError');
  });
});
