/**
 * What the core of an attempt has made of its first entries, as bytes beside a snapshot: with it a run goes on from the snapshot and the
 * journal's tail, without the entries before (`docs/internals/step-machine.md`, "Snapshots"). It is a cache like the snapshot:
 * one that can't be read, or is of another attempt, costs reading the whole journal.
 *
 * Entries and answers in it are encoded as those of a journal, so what is read is checked as they are.
 */
import {
  decodeEntries,
  encodeEntries,
  isEffect,
  isErrorCode,
  limits,
  pack,
  unpack,
  type AnsweredEntry,
  type StartedEntry,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import type { OpenCall } from './call-book.ts';
import type { ChildFacts } from './child-book.ts';

/** Version of the bytes: a head of another one is none. */
const headFormat = 1;

/** See the head of this file. */
export interface RunHead {
  readonly started: StartedEntry;
  /** How many entries it stands for; the last of them is an `intents` entry that doesn't end the attempt. */
  readonly entries: number;
  /** Of the guest, in those entries. */
  readonly steps: number;
  /** About how many bytes they have. */
  readonly bytes: number;
  /** Guest time after them, Unix ms. */
  readonly now: number;
  readonly lastCall: number;
  readonly open: readonly OpenCall[];
  readonly hasResponded: boolean;
  readonly children: ChildFacts;
}

const count = z.number().int().nonnegative();
const bytes = z.instanceof(Uint8Array);
const headSchema = z.tuple([
  z.literal('mvm-ci head'),
  z.literal(headFormat),
  /** `started`; one `intents` with the open calls; an `answered` for the end of each child that was joined. */
  bytes,
  z.object({ entries: count, steps: count, bytes: count, now: count, lastCall: count, hasResponded: z.boolean() }),
  /** When each open call was made. */
  z.array(count),
  z.array(z.tuple([z.string(), z.array(count)])),
  z.array(z.tuple([z.string(), z.string(), z.string()])),
  /** The jobs of the ends above. */
  z.array(z.string()),
]);

/** The head's bytes; undefined when it is larger than one may be. */
export const encodeHead = ({ started, open, children, ...counts }: RunHead): Uint8Array | undefined => {
  const ends = children.ends.map(([, end]): AnsweredEntry => ({ ...endEntry, answer: { type: 'joined', ...end } }));
  const intents = { kind: 'intents', intents: open.map(({ intent }) => intent) } as const;
  const encoded = pack([
    'mvm-ci head',
    headFormat,
    encodeEntries([started, intents, ...ends]),
    counts,
    open.map(({ madeAt }) => madeAt),
    children.starts,
    children.refusals.map(([job, { code, message }]) => [job, code, message]),
    children.ends.map(([job]) => job),
  ]);
  return encoded.length <= limits.snapshotHeadBytesMax ? encoded : undefined;
};

const endEntry = { kind: 'answered', at: 0, call: 1 } as const;

/** The head in `encoded`; undefined when it is none that this build reads. */
export const decodeHead = (encoded: Uint8Array): RunHead | undefined => {
  try {
    const [, , entries, counts, madeAt, starts, refusals, jobs] = headSchema.parse(unpack(encoded));
    const [started, asked, ...ends] = decodeEntries(entries);
    if (started?.kind !== 'started' || asked?.kind !== 'intents') return undefined;
    return {
      started,
      ...counts,
      open: asked.intents.filter(isEffect).map((intent, index) => ({ intent, madeAt: at(madeAt, index) })),
      children: {
        starts,
        refusals: refusals.map(([job, code, message]) => [
          job,
          { code: isErrorCode(code) ? code : 'INTERNAL', message },
        ]),
        ends: ends.map((entry, index) => {
          if (entry.kind !== 'answered' || entry.answer.type !== 'joined') throw new TypeError('no end of a child');
          const { item, outcome } = entry.answer;
          return [at(jobs, index), { item, outcome }];
        }),
      },
    };
  } catch {
    return undefined;
  }
};

const at = <Item>(items: readonly Item[], index: number): Item => {
  const item = items[index];
  if (item === undefined) throw new RangeError(`a head lacks item ${index}`);
  return item;
};
