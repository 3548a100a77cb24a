import { MvmError, type ItemAnswer } from '@mvm-ci/protocol';

/**
 * The answer to one item of a command. `run` checks all before it writes anything, so a refusal of ours leaves nothing
 * behind; what else it throws ends the whole command.
 */
export const itemAnswer = (run: () => void): ItemAnswer => {
  try {
    run();
    return { ok: true };
  } catch (error) {
    if (error instanceof MvmError && error.code !== 'INTERNAL') return { ok: false, error: error.toRecord() };
    throw error;
  }
};
