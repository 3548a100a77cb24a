import type { Clock as BaseClock } from '@mvm-ci/protocol';

export type { Timer } from '@mvm-ci/protocol';

/** A clock whose timers don't keep the process alive, and that knows turns of the event loop. */
export interface Clock extends BaseClock {
  /** Resolves after everything that is already due has run: one turn of the event loop. */
  nextTurn(): Promise<void>;
}
