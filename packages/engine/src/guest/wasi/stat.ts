/** WASI's records about files: `filestat`, rights and times. */
import { WasiError } from './errno.ts';
import type { Node } from './file-node.ts';
import type { GuestMemory } from './guest-memory.ts';

/** Bits of WASI `rights`. */
export const rights: Readonly<Record<'read' | 'write' | 'all', bigint>> = {
  read: 2n,
  write: 64n,
  all: (1n << 30n) - 1n,
};

/** What a stat is of. */
export type StatTarget = Node | 'stream';

const types = { directory: 3, file: 4 } as const;
const statBytes = 64;

/** Writes the `filestat` record at `place`. */
export const writeStat = (memory: GuestMemory, place: number, target: StatTarget): void => {
  memory.write(place, new Uint8Array(statBytes));
  memory.setU64(place + 24, 1n);
  if (target === 'stream') return;
  memory.setU64(place + 8, BigInt(target.inode));
  memory.write(place + 16, new Uint8Array([types[target.type]]));
  memory.setU64(place + 32, BigInt(target.size));
  memory.setU64(place + 40, target.times.accessed);
  memory.setU64(place + 48, target.times.modified);
  memory.setU64(place + 56, target.times.changed);
};

/** The arguments of `…_filestat_set_times`. */
interface TimesChange {
  readonly accessed: bigint;
  readonly modified: bigint;
  /** WASI `fstflags`. */
  readonly flags: number;
  readonly now: bigint;
}

const set = { accessed: 1, accessedNow: 2, modified: 4, modifiedNow: 8 } as const;

/** @throws {WasiError} `inval` when a time is to be both given and now */
export const setTimes = ({ times }: Node, { accessed, modified, flags, now }: TimesChange): void => {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if ((has(set.accessed) && has(set.accessedNow)) || (has(set.modified) && has(set.modifiedNow)))
    throw new WasiError('inval');
  if (has(set.accessed)) times.accessed = accessed;
  if (has(set.accessedNow)) times.accessed = now;
  if (has(set.modified)) times.modified = modified;
  if (has(set.modifiedNow)) times.modified = now;
  times.changed = now;
};
