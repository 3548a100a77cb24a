import type { QueueView } from '@mvm-ci/protocol';
import type { QueueState } from '../store/queue-state.ts';

/** A queue as the API shows it. */
export const queueView = ({ queue, settings, ready, running, readyKeys }: QueueState): QueueView => ({
  queue,
  mode: settings.mode ?? 'open',
  settings,
  ready,
  running,
  ready_keys: readyKeys,
});
