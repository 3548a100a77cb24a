/** Replays at some server of a pool. One changes nothing: when a server is gone or busy, the next one is asked. */
import type { Replayer } from '@mvm-ci/engine';
import { mvmError, RetryLaterError } from '@mvm-ci/protocol';

/** Finds those that can be asked now, best first. */
type FindReplayers = () => readonly Replayer[];

export const poolReplayer = (find: FindReplayers): Replayer => ({
  replay: (request, options) => firstOf(find(), (replayer) => replayer.replay(request, options)),
  query: (request, options) => firstOf(find(), (replayer) => replayer.query(request, options)),
});

const firstOf = async <T>(replayers: readonly Replayer[], ask: (replayer: Replayer) => Promise<T>): Promise<T> => {
  let reason: unknown = mvmError('UNAVAILABLE', 'no engine server of the pool does replays now');
  for (const replayer of replayers) {
    try {
      return await ask(replayer);
    } catch (error) {
      if (!(error instanceof RetryLaterError)) throw error;
      reason = error;
    }
  }
  throw reason;
};
