import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BlobExchange, limits, mvmError, type BlobTalk, type ByteSource } from '../../src/index.ts';

const source = async function* (...parts: readonly Uint8Array[]): ByteSource {
  yield* parts;
};

/** Two ends that hear each other in later turns. */
const ends = (): { readonly giver: BlobExchange; readonly taker: BlobExchange; readonly said: BlobTalk[] } => {
  const said: BlobTalk[] = [];
  const pass = (to: () => BlobExchange) => (talk: BlobTalk) => {
    said.push(talk);
    setImmediate(() => to().take(talk));
  };
  const giver: BlobExchange = new BlobExchange(pass(() => taker));
  const taker: BlobExchange = new BlobExchange(pass(() => giver));
  return { giver, taker, said };
};

const gather = async (parts: ByteSource): Promise<Uint8Array> => {
  const gathered: Uint8Array[] = [];
  for await (const part of parts) gathered.push(part);
  return new Uint8Array(Buffer.concat(gathered));
};

describe('BlobExchange', () => {
  it('carries the bytes of a source in whole parts, each when it is asked for', async () => {
    const { giver, taker, said } = ends();
    const bytes = new Uint8Array(2 * limits.blobPartBytesMax + 3).map((_, index) => index % 251);
    const given = giver.give(source(bytes.subarray(0, 5), bytes.subarray(5)));
    assert.deepEqual(await gather(taker.parts()), bytes);
    await given;
    const lengths = said.flatMap((talk) => (talk.is === 'bytes' ? [talk.bytes.length] : []));
    assert.deepEqual(lengths, [limits.blobPartBytesMax, limits.blobPartBytesMax, 3, 0]);
    assert.equal(said.filter(({ is }) => is === 'more').length, lengths.length);
  });

  it('carries no bytes at all', async () => {
    const { giver, taker } = ends();
    const given = giver.give(source());
    assert.equal((await gather(taker.parts())).length, 0);
    await given;
  });

  it('tells what the other end failed with', async () => {
    const { giver, taker } = ends();
    const error = mvmError('PAYLOAD_TOO_LARGE', 'no more');
    taker.say({ is: 'failed', error: error.toRecord() });
    await assert.rejects(giver.give(source(new Uint8Array(3))), error);
  });

  it('refuses what it did not ask for', async () => {
    const { taker } = ends();
    const bytes = { is: 'bytes', bytes: new Uint8Array(1), isLast: false } as const;
    taker.take(bytes);
    taker.take(bytes);
    assert.throws(() => taker.take(bytes), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(taker.hear('kept'), { code: 'INVALID_ARGUMENT' });
  });

  it('ends whoever listens, and says nothing more', async () => {
    const { taker, said } = ends();
    const error = mvmError('CANCELLED', 'over');
    const heard = taker.hear('bytes');
    taker.end(error);
    await assert.rejects(heard, error);
    await assert.rejects(taker.hear('bytes'), error);
    taker.say({ is: 'more' });
    taker.take({ is: 'more' });
    assert.equal(taker.signal.aborted, true);
    assert.deepEqual(said, []);
  });
});
