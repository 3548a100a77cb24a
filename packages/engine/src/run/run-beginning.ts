/** From what a run begins: its journal, or the tail of it and what a snapshot's head says of the entries before. */
import type { JournalEntry } from '@mvm-ci/protocol';
import type { RunRequest } from '../engine.ts';
import type { ResumedState } from '../guest/guest-threads.ts';
import { decodeHead, type RunHead } from './run-head.ts';
import { standingOf } from './snapshot-watch.ts';

/** See the head of this file. */
export interface RunBeginning {
  /** Stands for the entries that `journal` lacks. */
  readonly head: RunHead | undefined;
  readonly journal: readonly JournalEntry[];
  /** What the guest goes on from. */
  readonly standing: ResumedState | undefined;
  /** Stored entries, those of the head too. */
  readonly entries: number;
}

/** Reads the whole journal when entries of it are left out and the snapshot's head doesn't stand for them. @throws what `leftOut.load` throws */
export const beginningOf = async (request: RunRequest, runtime: string): Promise<RunBeginning> => {
  const { snapshot, leftOut } = request;
  const head = headOf(request, runtime);
  if (head && snapshot) {
    const { imageHash, bytes } = snapshot;
    const standing = { steps: head.steps, state: { imageHash, bytes }, seed: head.started.seed };
    return { head, journal: request.journal, standing, entries: head.entries + request.journal.length };
  }
  const journal = leftOut ? await leftOut.load() : request.journal;
  return { head, journal, standing: standingOf(snapshot, journal, runtime), entries: journal.length };
};

const headOf = ({ snapshot, leftOut, job, attempt }: RunRequest, runtime: string): RunHead | undefined => {
  if (!leftOut || !snapshot?.head || snapshot.runtime !== runtime) return undefined;
  const head = decodeHead(snapshot.head);
  const isItsOwn = head?.started.job === job && head.started.attempt === attempt;
  const isOfSame = head?.entries === leftOut.entries && head.entries === snapshot.entries;
  return isItsOwn && isOfSame ? head : undefined;
};
