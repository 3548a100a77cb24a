import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { blake3, limits, mvmError, type BlobPart, type BlobPartAnswer } from '@mvm-ci/protocol';
import { blobPort } from '../src/blob-port.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';

const part = limits.blobPartBytesMax;

/** A control plane's uploads: a new process of it knows none, but begins one with a part from byte 0. */
class Uploads {
  readonly parts: BlobPart[] = [];
  /** The part after which the process dies, its answer unsaid. */
  diesAt = Infinity;
  #received: Uint8Array[] | undefined;

  async putBlob({ bytes, ...sent }: BlobPart): Promise<BlobPartAnswer> {
    // Whoever sent it may use the memory again.
    this.parts.push({ ...sent, bytes: bytes.slice() });
    if (this.parts.length === this.diesAt) {
      this.#received = undefined;
      throw mvmError('UNAVAILABLE', 'the control plane is gone');
    }
    if (sent.offset === 0) this.#received = [];
    if (!this.#received) throw mvmError('BLOB_NOT_FOUND', 'no such upload');
    this.#received.push(bytes.slice());
    const whole = Buffer.concat(this.#received);
    if (sent.hash === undefined) return { received: whole.length, blob: null };
    assert.equal(sent.hash, blake3(whole).toHex());
    return { received: whole.length, blob: { hash: sent.hash, bytes: whole.length } };
  }
}

const sizes = ({ parts }: Uploads): readonly (readonly [number, boolean])[] =>
  parts.map(({ bytes, hash }) => [bytes.length, hash !== undefined]);

const put = async (uploads: Uploads, length: number): Promise<number> => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const blob = async (): Promise<never> => assert.fail('nothing is read here');
  const port = blobPort({
    controlPlane: { putBlob: (sent) => uploads.putBlob(sent), blob },
    clock,
    random: fixedRandom,
  });
  const source = async function* (): AsyncGenerator<Uint8Array> {
    if (length > 0) yield new Uint8Array(length).fill(7);
  };
  const kept = port.put('job', source(), { signal });
  const ended = kept.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, clock.advance(10_000)])));
  return (await kept).bytes;
};

suite('a body that becomes a blob', () => {
  test('is sent in parts, of which the last one says that it is', async () => {
    for (const [length, expected] of [
      [0, [[0, true]]],
      [9, [[9, true]]],
      [part, [[part, true]]],
      [
        2 * part + 1,
        [
          [part, false],
          [part, false],
          [1, true],
        ],
      ],
    ] as const) {
      const uploads = new Uploads();
      assert.equal(await put(uploads, length), length);
      assert.deepEqual(sizes(uploads), expected);
    }
  });

  test('and has one part only is taken by a control plane that was started again', async () => {
    const uploads = new Uploads();
    uploads.diesAt = 1;
    assert.equal(await put(uploads, 9), 9);
    assert.deepEqual(sizes(uploads), [
      [9, true],
      [9, true],
    ]);
  });

  test('and has more of them is cut off with the control plane', async () => {
    const uploads = new Uploads();
    uploads.diesAt = 2;
    await assert.rejects(put(uploads, 2 * part), { code: 'CONNECTION_LOST' });
  });
});
