/** The one function that a `flawless` module imports, seen from its host: where commands are, and where answers go. */
import { GuestFault } from '../guest.ts';
import { WasiError } from '../wasi/errno.ts';
import type { GuestMemory } from '../wasi/guest-memory.ts';

/** The import `wasabi.submit`: place and length of the command, and where to write place and length of the answer. */
export const submitImport = { module: 'wasabi', name: 'submit', signature: '(i32, i32, i32, i32) → (i32)' } as const;

/** The parameters of a call. */
export type SubmitParameters = readonly [place: number, length: number, placeOut: number, lengthOut: number];

/** The guest's side of a call. */
export interface SubmitSite {
  readonly memory: GuestMemory;
  /** `wasabi::alloc`: the guest frees what it allocates, so it is asked for exactly what is needed. */
  readonly allocate: (bytes: number) => number;
}

const success = 0;

/** The text of a command. @throws {GuestFault} `GUEST_PROTOCOL` */
export const readCommand = ({ memory }: SubmitSite, [place, length]: SubmitParameters): string =>
  inMemory(() => memory.text(place, length));

/** Gives `json` to the guest; returns what `submit` returns. @throws {GuestFault} `GUEST_PROTOCOL` */
export const giveAnswer = (site: SubmitSite, json: string, [, , placeOut, lengthOut]: SubmitParameters): number =>
  inMemory(() => {
    const bytes = Buffer.from(json);
    const place = site.allocate(bytes.length);
    site.memory.write(place, bytes);
    site.memory.setU32(placeOut, place);
    site.memory.setU32(lengthOut, bytes.length);
    return success;
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
