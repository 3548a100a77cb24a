export type { LogFields, Logger } from '@mvm-ci/protocol';
