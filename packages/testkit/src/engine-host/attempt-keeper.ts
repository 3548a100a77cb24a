import type { JournalKeeper } from '@mvm-ci/engine';
import { mvmError, StaleLeaseError, type MvmError } from '@mvm-ci/protocol';
import type { HeldAttempt } from './held-attempt.ts';

/** A keeper of the journals of `attempts`, by job: for engines that read and write them where they are stored. */
export const attemptKeeper = (
  attempts: ReadonlyMap<string, HeldAttempt>,
  modules: (hash: string) => Promise<Uint8Array>,
): JournalKeeper => {
  const current = new Map<string, () => void>();
  return {
    module: modules,
    open: async ({ job }, run) => {
      const attempt = attempts.get(job);
      if (!attempt) throw mvmError('STALE_LEASE', `nobody holds job "${job}"`);
      current.get(job)?.();
      current.set(job, () => run.supersede());
      await attempt.settled();
      if (attempt.outcome) throw mvmError('STALE_LEASE', `job "${job}" is over`);
      const { entries, inbox, sink } = await attempt.openJournal();
      let refusal: MvmError | undefined;
      const note = (error: unknown): never => {
        if (error instanceof StaleLeaseError) refusal = error;
        throw error;
      };
      return {
        entries,
        inbox,
        ports: {
          sink: {
            append: (added, extras) => sink.append(added, extras).catch(note),
            finish: (added, outcome, extras) => sink.finish(added, outcome, extras).catch(note),
          },
          mayStartEffect: (signal) => attempt.mayStartEffect(signal),
          inbox: (after, signal) => attempt.inbox(after, signal),
        },
        get refusal() {
          return refusal;
        },
        settle: async () => {
          await attempt.settled();
          return attempt.outcome;
        },
      };
    },
  };
};
