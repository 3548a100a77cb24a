import type { Load } from '../load.ts';

/** How much the journal bench does. */
export interface JournalSize {
  /** Requests of the one job, one after the other; two entries each. */
  readonly effects: number;
}

/** The sizes of each load. */
export const journalSizes: Readonly<Record<Load, JournalSize>> = {
  smallest: { effects: 500 },
  quick: { effects: 50_000 },
  full: { effects: 500_000 },
};
