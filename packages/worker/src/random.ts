export type { Random } from '@mvm-ci/protocol';
