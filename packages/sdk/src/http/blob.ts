/** `Blob` and `File` (File API, sections 3 and 4): bytes with a type, in the workflow's memory. */
import { bytesOf, decodeUtf8, encodeUtf8, joined, type BytesLike } from '../prelude/text-codec.ts';

/** What a blob may be made of. */
export type BlobPart = string | BytesLike | Blob;

/** Options of the constructors. */
export interface BlobOptions {
  readonly type?: string;
}

/** See the File API. There are no streams in a workflow. */
export class Blob {
  readonly type: string;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  /** @throws {TypeError} when `parts` is no list. */
  constructor(parts: Iterable<BlobPart> = [], { type = '' }: BlobOptions = {}) {
    this.#bytes = joined([...parts].map(bytesOfPart));
    this.type = typeOf(type);
  }

  get size(): number {
    return this.#bytes.length;
  }

  text(): Promise<string> {
    return Promise.try(() => decodeUtf8(this.#bytes).text);
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(this.#bytes.slice());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  /** Some of the bytes; places below 0 count from the end. */
  slice(start?: number, end?: number, type = ''): Blob {
    return new Blob([this.#bytes.subarray(start, end)], { type });
  }

  /** What nobody may change. @throws {TypeError} when it is no blob */
  static bytesOf(blob: Blob): Uint8Array<ArrayBuffer> {
    return blob.#bytes;
  }
}

/** A blob with a name. */
export class File extends Blob {
  readonly name: string;
  /** Unix ms. */
  readonly lastModified: number;

  constructor(
    parts: Iterable<BlobPart>,
    name: unknown,
    { lastModified = Date.now(), ...options }: BlobOptions & { readonly lastModified?: number } = {},
  ) {
    super(parts, options);
    this.name = String(name).toWellFormed();
    this.lastModified = lastModified;
  }
}

/** One with characters outside of printable ASCII is none; the others are in lower case. */
const typeOf = (type: string): string => (/^[ -~]*$/.test(type) ? type.toLowerCase() : '');

const bytesOfPart = (part: unknown): Uint8Array => {
  if (part instanceof Blob) return Blob.bytesOf(part);
  if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) return bytesOf(part);
  return encodeUtf8(String(part));
};
