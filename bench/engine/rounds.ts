/** What a part of the engine bench found, and how often it looks. */
import type { Figure } from '../report.ts';

/** Figures, and the bounds that they are held against. */
export interface Figures {
  readonly metrics: readonly Figure[];
  readonly bounds: readonly Figure[];
}

/** The best of some rounds: what else the machine does only adds. */
export const bestOf = async (rounds: number, once: (round: number) => Promise<number>): Promise<number> => {
  const found: number[] = [];
  for (let round = 0; round < rounds; round += 1) found.push(await once(round));
  return Math.min(...found);
};
