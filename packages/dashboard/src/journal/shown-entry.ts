/** A journal as `GET /queue/journal/{job}` shows it: the entries of the protocol, with bytes as text. */
import type { Answer, Intent, JournalEntry } from '@mvm-ci/protocol';

/** Bytes: as text where they are that. */
type ShownBytes = { readonly utf8: string } | { readonly base64: string };

type Shown<T> = T extends Uint8Array
  ? ShownBytes
  : T extends readonly (infer E)[]
    ? readonly Shown<E>[]
    : T extends object
      ? { readonly [K in keyof T]: Shown<T[K]> }
      : T;

/** One entry with its number. */
export type ShownEntry = Shown<JournalEntry> & { readonly seq: number };

/** What a workflow asked for. */
export type ShownIntent = Shown<Intent>;

/** What it was told. */
export type ShownAnswer = Shown<Answer>;

/** The answer of the route. */
export interface ShownJournal {
  readonly attempt: number;
  readonly entries: readonly ShownEntry[];
}
