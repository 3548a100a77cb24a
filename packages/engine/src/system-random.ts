/** Real randomness (I9). */
import { randomFillSync } from 'node:crypto';
import type { Random } from './random.ts';

/** A call to the system costs as much for a few bytes as for many. */
const poolBytes = 4_096;
const pool = new Uint8Array(poolBytes);
let used = poolBytes;

/** The operating system's random numbers; none is given out twice. */
export const systemRandom: Random = {
  bytes: (length) => {
    if (length > poolBytes) return randomFillSync(new Uint8Array(length));
    if (used + length > poolBytes) {
      randomFillSync(pool);
      used = 0;
    }
    used += length;
    return pool.slice(used - length, used);
  },
};
