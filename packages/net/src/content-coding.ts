/**
 * `Content-Encoding: zstd` (RFC 9110 section 8.4, RFC 8878) for bodies between us. Bytes are what the native transport
 * costs, so bodies from `compressBytesMin` on are sent compressed to whoever accepts it; journals are mostly text and
 * shrink to a fraction.
 */
import { mvmError } from '@mvm-ci/protocol';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { netLimits } from './limits.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** A body, and the value of its `Content-Encoding`; undefined when it is as it was. */
export interface CodedBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly encoding: 'zstd' | undefined;
}

/** Whether an `Accept-Encoding` takes what {@link encodeContent} makes. */
export const acceptsZstd = (acceptEncoding: string | null): boolean => acceptEncoding?.includes('zstd') === true;

/** `body` compressed, when it is long enough and that makes it shorter. */
export const encodeContent = async (body: Uint8Array): Promise<CodedBody> => {
  if (body.length >= netLimits.compressBytesMin) {
    const packed = await compress(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    if (packed.length < body.length) return { bytes: new Uint8Array(packed), encoding: 'zstd' };
  }
  return { bytes: new Uint8Array(body), encoding: undefined };
};

/**
 * The body that a message with this `Content-Encoding` carries.
 *
 * @throws PAYLOAD_TOO_LARGE when it has more than `bytesMax` bytes, which is found before it is whole;
 * UNSUPPORTED_MEDIA_TYPE for another coding; INVALID_ARGUMENT when it is damaged
 */
export const decodeContent = async (
  body: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): Promise<Uint8Array> => {
  if (encoding === null || encoding === 'identity') return body;
  if (encoding !== 'zstd') {
    throw mvmError('UNSUPPORTED_MEDIA_TYPE', `bodies may have the content encoding "zstd" or none, not "${encoding}"`);
  }
  try {
    return new Uint8Array(await decompress(body, { maxOutputLength: bytesMax }));
  } catch (error) {
    throw refusal(error, bytesMax);
  }
};

const refusal = (error: unknown, bytesMax: number): Error =>
  error instanceof RangeError
    ? mvmError('PAYLOAD_TOO_LARGE', `a body of this kind has at most ${bytesMax} bytes, also once it is unpacked`, {
        rule: bytesMax,
      })
    : mvmError('INVALID_ARGUMENT', 'the body is not what its content encoding says: it can not be unpacked as zstd');
