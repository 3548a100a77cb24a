import { Packr } from 'msgpackr';

// Records are a msgpackr extension that no other decoder knows; without them the output is plain MessagePack.
const packr = new Packr({ useRecords: false, int64AsType: 'number', moreTypes: false });

/**
 * MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) of `value`, in a buffer of its own, so that it
 * can be kept or transferred. The same value gives the same bytes: arrays and scalars have one encoding here, and maps
 * keep their key order.
 */
export const pack = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value));

/** The encodings of `values`, one after another, as {@link pack} makes them. */
export const packAll = (values: readonly unknown[]): Uint8Array => {
  // An array is its header and then its elements' encodings: one call packs them all.
  const [short, long] = [15, 65_535];
  const headerBytes = values.length <= short ? 1 : values.length <= long ? 3 : 5;
  return new Uint8Array(packr.pack(values).subarray(headerBytes));
};

/** The value in `bytes`. @throws {Error} when it isn't exactly one MessagePack value. */
export const unpack = (bytes: Uint8Array): unknown => packr.unpack(bytes);

/** The values whose encodings follow each other in `bytes`. @throws {Error} when the last one is cut. */
export const unpackAll = (bytes: Uint8Array): readonly unknown[] =>
  bytes.length === 0 ? [] : (packr.unpackMultiple(bytes) as unknown[]);
