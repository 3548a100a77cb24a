import type { Logger as BaseLogger } from '@mvm-ci/protocol';

/** Where the control plane's own log lines go. */
export type Logger = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>;

/** Says nothing. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
