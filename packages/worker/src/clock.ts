import type { Clock as BaseClock } from '@mvm-ci/protocol';

export { pause, type Timer } from '@mvm-ci/protocol';

/** Time as a worker needs it: leases are measured in durations, never in dates. */
export type Clock = Pick<BaseClock, 'monotonicMs' | 'after'>;
