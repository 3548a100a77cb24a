/**
 * How a `flawless` module's `submit` hands over the answer. The public crate doesn't show it, so it is told from the
 * function's type (docs/reference/flawless.md): the answer's bytes are always placed by the export `wasabi::alloc`.
 */
import { GuestFault } from '../guest.ts';
import { WasiError } from '../wasi/errno.ts';
import type { GuestMemory } from '../wasi/guest-memory.ts';

/** Types of `submit` that are known. The first two parameters are place and length of the command. */
export const submitConventions = [
  /** Returns `ptr << 32 | len`. */
  '(i32, i32) → (i64)',
  /** Returns the place of a record: `u32 ptr`, `u32 len`. */
  '(i32, i32) → (i32)',
  /** Returns the place; the length is written where the third parameter says. */
  '(i32, i32, i32) → (i32)',
  /** Place and length are written where the third and fourth parameter say. */
  '(i32, i32, i32, i32) → ()',
] as const;

/** One of {@link submitConventions}. */
export type SubmitConvention = (typeof submitConventions)[number];

/** The guest's side of a call. */
export interface SubmitSite {
  readonly memory: GuestMemory;
  /** `wasabi::alloc` */
  readonly allocate: (bytes: number) => number;
  readonly convention: SubmitConvention;
}

/** The text of a command. @throws {GuestFault} `GUEST_PROTOCOL` */
export const readCommand = ({ memory }: SubmitSite, place: number, length: number): string =>
  inMemory(() => memory.text(place, length));

/** Gives `json` to the guest; returns what `submit` returns. `out` are its parameters after the first two. */
export const giveAnswer = (site: SubmitSite, json: string, out: readonly number[]): number | bigint | undefined =>
  inMemory(() => {
    const { memory, allocate, convention } = site;
    const bytes = Buffer.from(json);
    const place = allocate(bytes.length) >>> 0;
    memory.write(place, bytes);
    switch (convention) {
      case '(i32, i32) → (i64)':
        return BigInt.asIntN(64, (BigInt(place) << 32n) | BigInt(bytes.length));
      case '(i32, i32) → (i32)': {
        const record = allocate(8) >>> 0;
        memory.setU32(record, place);
        memory.setU32(record + 4, bytes.length);
        return record | 0;
      }
      case '(i32, i32, i32) → (i32)':
        memory.setU32(out[0] ?? 0, bytes.length);
        return place | 0;
      case '(i32, i32, i32, i32) → ()':
        memory.setU32(out[0] ?? 0, place);
        memory.setU32(out[1] ?? 0, bytes.length);
        return undefined;
    }
  });

const inMemory = <T>(access: () => T): T => {
  try {
    return access();
  } catch (error) {
    if (!(error instanceof WasiError)) throw error;
    throw new GuestFault({
      code: 'GUEST_PROTOCOL',
      message: "a command or its answer lies outside of the guest's memory, or is not UTF-8",
    });
  }
};
