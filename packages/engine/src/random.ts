import type { Random as BaseRandom } from '@mvm-ci/protocol';

/** Randomness as the engine needs it: the seeds of attempts. */
export type Random = Pick<BaseRandom, 'bytes'>;
