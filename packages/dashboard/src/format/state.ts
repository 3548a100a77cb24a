/** The states of a job: their words, what they look like, and what can be done in each. */
import type { JobState } from '@mvm-ci/protocol';

/** What can be asked of a job. */
export type JobAction = 'cancel' | 'retry' | 'message' | 'move';

interface StateLook {
  readonly word: string;
  /** Whether it never changes. */
  readonly isFinal: boolean;
  readonly actions: readonly JobAction[];
}

const held: readonly JobAction[] = ['cancel', 'message', 'move'];

/** In the order of a job's life. */
export const states: Readonly<Record<JobState, StateLook>> = {
  pending: { word: 'pending', isFinal: false, actions: ['cancel', 'message'] },
  claimed: { word: 'claimed', isFinal: false, actions: held },
  in_progress: { word: 'in progress', isFinal: false, actions: held },
  waiting: { word: 'waiting', isFinal: false, actions: ['cancel', 'message'] },
  completed: { word: 'completed', isFinal: true, actions: [] },
  failed: { word: 'failed', isFinal: true, actions: ['retry'] },
  cancelled: { word: 'cancelled', isFinal: true, actions: ['retry'] },
};

/** All states, in that order. */
export const stateNames: readonly JobState[] = [
  'pending',
  'claimed',
  'in_progress',
  'waiting',
  'completed',
  'failed',
  'cancelled',
];

/** Whether this is possible now. Messages go to workflows only. */
export const canDo = (
  action: JobAction,
  job: { readonly status: JobState; readonly workflow: string | null },
): boolean => states[job.status].actions.includes(action) && (action !== 'message' || job.workflow !== null);
