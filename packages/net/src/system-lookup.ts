import { lookup } from 'node:dns/promises';

import type { Lookup } from './iroh/lookup.ts';

/** The system's resolver. */
export const systemLookup: Lookup = async (name) => {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
};
