import { mvmError } from '@mvm-ci/protocol';

/** Bytes from `from` up to, not including, `to`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The range that a `Range` header asks for (RFC 9110 section 14.2): one of bytes. Another unit, several ranges and what can't be
 * read are answered with all of it.
 *
 * @throws INVALID_ARGUMENT when it begins after the end
 */
export const byteRange = (header: string | null, bytes: number): ByteRange | undefined => {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const from = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const to = first === '' || last === '' ? bytes : Math.min(bytes, Number(last) + 1);
  if (from < to) return { from, to };
  if (first !== '' && last !== '' && Number(last) < from) return undefined;
  throw mvmError('INVALID_ARGUMENT', `the blob has ${bytes} bytes: no range begins at ${from}`, { bytes, from });
};
