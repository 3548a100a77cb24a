import { MvmError, type InboxItem, type ItemAnswer } from '@mvm-ci/protocol';

/**
 * The answer to one item of a command; `run` gives what of it was refused inside the system. It checks all before it writes anything, so a refusal of ours leaves nothing
 * behind; what else it throws ends the whole command.
 */
export const itemAnswer = (run: () => readonly InboxItem[]): ItemAnswer => {
  try {
    const refused = run();
    return refused.length > 0 ? { ok: true, refused } : { ok: true };
  } catch (error) {
    if (error instanceof MvmError && error.code !== 'INTERNAL') return { ok: false, error: error.toRecord() };
    throw error;
  }
};
