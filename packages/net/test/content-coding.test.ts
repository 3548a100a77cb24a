import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acceptsZstd, decodeContent, encodeContent } from '@mvm-ci/net';

const text = new TextEncoder().encode('<li><a href="page.html">a page</a></li>\n'.repeat(1_000));

describe('content coding', () => {
  it('makes long repetitive bodies shorter and gives them back as they were', async () => {
    const { bytes, encoding } = await encodeContent(text);
    assert.equal(encoding, 'zstd');
    assert.ok(bytes.length < text.length / 10);
    assert.deepEqual(await decodeContent(bytes, 'zstd', text.length), text);
  });

  it('leaves short bodies, and those that would not shrink, as they are', async () => {
    const noise = crypto.getRandomValues(new Uint8Array(10_000));
    for (const body of [text.subarray(0, 1_000), noise]) {
      const { bytes, encoding } = await encodeContent(body);
      assert.equal(encoding, undefined);
      assert.deepEqual(bytes, new Uint8Array(body));
      assert.deepEqual(await decodeContent(bytes, null, 10_000), new Uint8Array(body));
    }
  });

  it('refuses a body that unpacks to more than its limit, without unpacking all of it', async () => {
    const { bytes } = await encodeContent(new Uint8Array(50_000_000));
    await assert.rejects(decodeContent(bytes, 'zstd', 1_000_000), { code: 'PAYLOAD_TOO_LARGE', message: /1000000/ });
  });

  it('refuses damaged bodies and other codings, and says which', async () => {
    const { bytes } = await encodeContent(text);
    bytes[20] = (bytes[20] ?? 0) ^ 0xff;
    await assert.rejects(decodeContent(bytes.subarray(0, 30), 'zstd', 1_000_000), { code: 'INVALID_ARGUMENT' });
    await assert.rejects(decodeContent(text, 'gzip', 1_000_000), { code: 'UNSUPPORTED_MEDIA_TYPE', message: /gzip/ });
  });

  it('is used only for those who accept it', () => {
    assert.equal(acceptsZstd('gzip, zstd'), true);
    assert.equal(acceptsZstd('gzip'), false);
    assert.equal(acceptsZstd(null), false);
  });
});
