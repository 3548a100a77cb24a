/**
 * The journal's entries, format version 1. An entry is a MessagePack array whose first element is its kind's number;
 * the rest is positional, so that equal entries have equal bytes: replay compares them so (I6).
 * `docs/reference/journal.md` is the prose of this file. A change here needs a new format version (style.md 20).
 */
import { mvmError } from '../error.ts';
import { pack, packAll, unpackAll } from '../packer.ts';
import { decodeAnswer, encodeAnswer, isPackedAnswer, type Answer, type PackedAnswer } from './answer.ts';
import { decodeIntents, encodeIntents } from './intent-code.ts';
import type { Intent } from './intent.ts';
import { hasShapeOfKind, isBytes, isCount, isList, isOrdinal, isText, isWhole, type Shape } from './packed-shape.ts';

/** The format that this build writes. */
export const journalFormat = 1;

/** First entry of an attempt: all that the guest starts from. `at` is Unix time in ms. */
export interface StartedEntry {
  readonly kind: 'started';
  readonly at: number;
  readonly job: string;
  readonly attempt: number;
  /** BLAKE3 of the module file, hex. */
  readonly module: string;
  /** Name and version of the guest runtime, '' for `core`. */
  readonly runtime: string;
  readonly workflow: string;
  /** JSON text. */
  readonly input: string;
  /** 32 random bytes. */
  readonly seed: Uint8Array;
}

/** What the guest asked for in one activation; written before any of its effects starts (I5). */
export interface IntentsEntry {
  readonly kind: 'intents';
  readonly intents: readonly Intent[];
}

/** The outcome of one effect. */
export interface AnsweredEntry {
  readonly kind: 'answered';
  readonly at: number;
  readonly call: number;
  readonly answer: Answer;
}

/** Last entry of an attempt that returned. `result` is JSON text. */
export interface CompletedEntry {
  readonly kind: 'completed';
  readonly at: number;
  readonly result: string;
}

/** Last entry of an attempt that ended in an error. */
export interface FailedEntry {
  readonly kind: 'failed';
  readonly at: number;
  readonly code: string;
  readonly message: string;
}

/** A handler's `ctx.run` that has ended: `result` is JSON text. Only in the journals of handlers. */
export interface RanEntry {
  readonly kind: 'ran';
  readonly at: number;
  /** Unique within the job. */
  readonly name: string;
  readonly result: string;
}

/** One record of a journal. */
export type JournalEntry = RanEntry | StartedEntry | IntentsEntry | AnsweredEntry | CompletedEntry | FailedEntry;

/** The canonical array of an entry. */
type PackedEntry =
  | [
      0,
      at: number,
      job: string,
      attempt: number,
      module: string,
      runtime: string,
      workflow: string,
      input: string,
      seed: Uint8Array,
    ]
  | [1, intents: unknown[]]
  | [2, at: number, call: number, answer: PackedAnswer]
  | [3, at: number, result: string]
  | [4, at: number, code: string, message: string]
  | [5, at: number, name: string, result: string];

/** By the number that comes first. */
const shapes: readonly Shape[] = [
  [isWhole, isCount, isText, isOrdinal, isText, isText, isText, isText, isBytes],
  [isWhole, isList],
  [isWhole, isCount, isOrdinal, isPackedAnswer],
  [isWhole, isCount, isText],
  [isWhole, isCount, isText, isText],
  [isWhole, isCount, isText, isText],
];

const isPackedEntry = (value: unknown): value is PackedEntry => hasShapeOfKind(value, shapes);

/** The entry's bytes. Equal entries have equal bytes. */
export const encodeEntry = (entry: JournalEntry): Uint8Array => pack(packedEntry(entry));

/** The bytes of `entries`, one after another. */
export const encodeEntries = (entries: readonly JournalEntry[]): Uint8Array => packAll(entries.map(packedEntry));

const packedEntry = (entry: JournalEntry): PackedEntry => {
  switch (entry.kind) {
    case 'started': {
      const { at, job, attempt, module, runtime, workflow, input, seed } = entry;
      return [0, at, job, attempt, module, runtime, workflow, input, seed];
    }
    case 'intents':
      return [1, [...encodeIntents(entry.intents)]];
    case 'answered':
      return [2, entry.at, entry.call, encodeAnswer(entry.answer)];
    case 'completed':
      return [3, entry.at, entry.result];
    case 'failed':
      return [4, entry.at, entry.code, entry.message];
    case 'ran':
      return [5, entry.at, entry.name, entry.result];
  }
};

/**
 * The entries in a batch's bytes.
 *
 * @throws {MvmError} `JOURNAL_CORRUPT` when the bytes aren't whole entries of format 1.
 */
export const decodeEntries = (bytes: Uint8Array): readonly JournalEntry[] => {
  return unpackEntries(bytes).map((packed, index) => {
    if (isPackedEntry(packed)) return unpackedEntry(packed);
    throw mvmError(
      'JOURNAL_CORRUPT',
      `journal bytes aren't entries of format ${journalFormat}: value ${index} is none`,
    );
  });
};

const unpackEntries = (bytes: Uint8Array): readonly unknown[] => {
  try {
    return unpackAll(bytes);
  } catch (error) {
    throw mvmError('JOURNAL_CORRUPT', 'journal bytes end in the middle of an entry', undefined, { cause: error });
  }
};

const unpackedEntry = (packed: PackedEntry): JournalEntry => {
  switch (packed[0]) {
    case 0: {
      const [, at, job, attempt, module, runtime, workflow, input, seed] = packed;
      return { kind: 'started', at, job, attempt, module, runtime, workflow, input, seed };
    }
    case 1:
      return { kind: 'intents', intents: decodeIntents(packed[1]) };
    case 2:
      return { kind: 'answered', at: packed[1], call: packed[2], answer: decodeAnswer(packed[3]) };
    case 3:
      return { kind: 'completed', at: packed[1], result: packed[2] };
    case 4:
      return { kind: 'failed', at: packed[1], code: packed[2], message: packed[3] };
    case 5:
      return { kind: 'ran', at: packed[1], name: packed[2], result: packed[3] };
  }
};
