import type { JobState } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { states } from '../format/state.ts';

/** A job's state: its word, with a colour beside it. */
export const StateBadge = ({ state }: { readonly state: JobState }): VNode => (
  <span class={`badge state-${state}`}>{states[state].word}</span>
);
