import type { Logger as BaseLogger } from '@mvm-ci/protocol';

export type { LogFields } from '@mvm-ci/protocol';

/** Where the engine's own log goes. */
export type Logger = Pick<BaseLogger, 'debug' | 'warn'>;

/** A logger that keeps nothing. */
export const silentLogger: Logger = { debug: () => undefined, warn: () => undefined };
