/**
 * `crypto.subtle` (Web Cryptography API) as far as it is a function of its arguments: digests, and HMAC with keys that the workflow has.
 * The host computes it; the promises are settled at once.
 */
import { nativeCodec, wholeBuffer } from './native-codec.ts';
import { bytesOf, type BytesLike } from './text-codec.ts';

/** An algorithm by its name, alone or with what else it takes. */
type Algorithm = string | { readonly name: string; readonly hash?: Algorithm };

/** What a key may be used for. */
export type KeyUsage = 'sign' | 'verify';

const hashes = ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const;

/** A key for HMAC. */
export class CryptoKey {
  readonly type: string = 'secret';
  readonly extractable: boolean;
  readonly usages: readonly KeyUsage[];
  readonly algorithm: { readonly name: 'HMAC'; readonly hash: { readonly name: string }; readonly length: number };
  readonly #bytes: ArrayBuffer;

  constructor(bytes: ArrayBuffer, hash: string, options: Pick<CryptoKey, 'extractable' | 'usages'>) {
    this.#bytes = bytes;
    this.algorithm = { name: 'HMAC', hash: { name: hash }, length: bytes.byteLength * 8 };
    this.extractable = options.extractable;
    this.usages = options.usages;
  }

  /** What the key is made of. @throws {TypeError} when it isn't one */
  static bytesOf(key: CryptoKey): ArrayBuffer {
    return key.#bytes;
  }
}

/** The `crypto.subtle` global. */
export class SubtleCrypto {
  /** The hash of `data`: `SHA-1`, `SHA-256`, `SHA-384` or `SHA-512`. */
  digest(algorithm: Algorithm, data: BytesLike): Promise<ArrayBuffer> {
    return Promise.try(() => computed(host().digest(hashName(algorithm), wholeBuffer(bytesOf(data)))));
  }

  /** A key from its bytes. */
  importKey(
    ...[format, data, algorithm, extractable, usages]: readonly [
      format: string,
      data: BytesLike,
      algorithm: Algorithm,
      extractable: unknown,
      usages: readonly KeyUsage[],
    ]
  ): Promise<CryptoKey> {
    return Promise.try(() => {
      if (format !== 'raw') throw unsupported(`keys of the format "${format}"`);
      if (typeof algorithm === 'string' || algorithm.hash === undefined || !isHmac(algorithm))
        throw unsupported(`keys for ${JSON.stringify(algorithm)}`);
      const bytes = bytesOf(data).slice().buffer;
      if (bytes.byteLength === 0) throw new DOMException('a key for HMAC has at least one byte', 'DataError');
      const wrong = usages.find((usage) => usage !== 'sign' && usage !== 'verify');
      if (wrong !== undefined || usages.length === 0) {
        const received = JSON.stringify(usages);
        throw new DOMException(`a key for HMAC is for "sign" and "verify": received ${received}`, 'SyntaxError');
      }
      return new CryptoKey(bytes, hashName(algorithm.hash), { extractable: Boolean(extractable), usages: [...usages] });
    });
  }

  /** The bytes of a key that may be taken out. */
  exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer> {
    return Promise.try(() => {
      if (format !== 'raw') throw unsupported(`keys of the format "${format}"`);
      if (!key.extractable) throw new DOMException('this key is not extractable', 'InvalidAccessError');
      return CryptoKey.bytesOf(key).slice(0);
    });
  }

  /** The HMAC of `data`. */
  sign(algorithm: Algorithm, key: CryptoKey, data: BytesLike): Promise<ArrayBuffer> {
    return Promise.try(() => hmac(algorithm, { key, usage: 'sign' }, data));
  }

  /** Whether `signature` is the HMAC of `data`. */
  verify(
    ...[algorithm, key, signature, data]: readonly [
      algorithm: Algorithm,
      key: CryptoKey,
      signature: BytesLike,
      data: BytesLike,
    ]
  ): Promise<boolean> {
    return Promise.try(() => {
      const right = new Uint8Array(hmac(algorithm, { key, usage: 'verify' }, data));
      const given = bytesOf(signature);
      let difference = right.length ^ given.length;
      for (const [index, byte] of right.entries()) difference |= byte ^ (given[index] ?? 0);
      return difference === 0;
    });
  }
}

const hmac = (
  algorithm: Algorithm,
  { key, usage }: { readonly key: CryptoKey; readonly usage: KeyUsage },
  data: BytesLike,
): ArrayBuffer => {
  if (!isHmac(algorithm)) throw unsupported(`signatures by ${JSON.stringify(algorithm)}`);
  const bytes = CryptoKey.bytesOf(key);
  if (!key.usages.includes(usage)) throw new DOMException(`this key is not for "${usage}"`, 'InvalidAccessError');
  return computed(host().hmac(key.algorithm.hash.name, bytes, wholeBuffer(bytesOf(data))));
};

const isHmac = (algorithm: Algorithm): boolean => nameOf(algorithm).toUpperCase() === 'HMAC';

const nameOf = (algorithm: Algorithm): string => (typeof algorithm === 'string' ? algorithm : algorithm.name);

/** The standard's spelling: names are told apart without regard to case (section 18.4.4). */
const hashName = (algorithm: Algorithm): string => {
  const name = nameOf(algorithm);
  const known = hashes.find((one) => one === name.toUpperCase());
  if (known !== undefined) return known;
  throw unsupported(`the hash "${name}"`);
};

const host = (): NonNullable<typeof nativeCodec> => {
  if (nativeCodec) return nativeCodec;
  throw unsupported('this on this engine');
};

const computed = (bytes: ArrayBuffer | undefined): ArrayBuffer => {
  if (bytes) return bytes;
  throw unsupported('this hash on this engine');
};

const unsupported = (what: string): DOMException =>
  new DOMException(
    `a workflow's crypto.subtle has digest (${hashes.join(', ')}) and HMAC with raw keys: received ${what}`,
    'NotSupportedError',
  );
