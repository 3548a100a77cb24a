import { CallerError } from '@mvm-ci/protocol';

/** What an argument of the command line says can't be used (INVALID_ARGUMENT, INVALID_JSON): nothing was done. */
export class ArgumentError extends CallerError {}
