import type { Logger as BaseLogger } from '@mvm-ci/protocol';

/** Where the control plane's own log lines go. */
export type Logger = Pick<BaseLogger, 'info' | 'warn' | 'error'>;

/** Says nothing. */
export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };
