/**
 * Looks whether a guest's memory is what its journal makes of it: takes all its steps again in another guest, from the first one, and
 * compares the memories' hashes. Resuming from a snapshot, taking one out and evicting a guest must never show in it.
 */
import type { GuestHandle } from '../guest/guest-threads.ts';
import type { GuestStep } from './activation.ts';

export interface SnapshotAuditOptions {
  /** A fresh guest of the same module, which the audit closes. */
  readonly replica: Pick<GuestHandle, 'step' | 'close' | 'memoryHash'>;
  /** All steps that the audited guest has taken, as they are recorded. */
  readonly steps: readonly GuestStep[];
  /** BLAKE3 of its memory after them. */
  readonly hash: string;
}

/** What came of an audit; `given-up`: its guest was lost. */
export type AuditVerdict = 'same' | 'differs' | 'given-up';

/** See the head of this file. */
export const auditSnapshot = async ({ replica, steps, hash }: SnapshotAuditOptions): Promise<AuditVerdict> => {
  try {
    const outcome = await replica.step((first) => steps.slice(first));
    if (outcome.type === 'lost') return 'given-up';
    const replayed = outcome.type === 'stepped' ? await replica.memoryHash() : '';
    if (replayed === undefined) return 'given-up';
    return replayed === hash ? 'same' : 'differs';
  } finally {
    replica.close();
  }
};
