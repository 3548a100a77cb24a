import { codeEntry, isErrorCode, type ErrorCode, type Reaction } from './error-code.ts';

/** Facts about one error, as JSON: names, limits, the value received. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** An error as it crosses a boundary (HTTP body, journal, job row). */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails | undefined;
}

/**
 * An error with a stable code. Throw one of its subclasses by {@link mvmError}, which picks the class from the code;
 * catch the class that you react to.
 */
export abstract class MvmError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails | undefined;

  constructor(code: ErrorCode, message: string, details?: ErrorDetails, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }

  /** The HTTP status that goes with the code. */
  get status(): number {
    return codeEntry(this.code).status;
  }

  /** The boundary form: code, message and details, without stack or cause. */
  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, ...(this.details && { details: this.details }) };
  }
}

/** The request is at fault; sending it again unchanged gives the same answer. */
export class CallerError extends MvmError {}

/** The sender's lease is over (I3): drop the job, say nothing more about it. */
export class StaleLeaseError extends MvmError {}

/** Nothing is wrong with the request; try again after a while. */
export class RetryLaterError extends MvmError {}

/** The attempt, or the module, ends here. */
export class TerminalError extends MvmError {}

/** Somebody cancelled what was asked for. */
export class CancelledError extends MvmError {}

const classes = {
  caller: CallerError,
  stale: StaleLeaseError,
  retry: RetryLaterError,
  terminal: TerminalError,
  cancelled: CancelledError,
} as const satisfies Record<Reaction, unknown>;

/**
 * Makes the error of the class that belongs to `code`.
 *
 * @example throw mvmError('JOB_NOT_FOUND', `no job has the id "${id}"`, { id });
 */
export const mvmError = (code: ErrorCode, message: string, details?: ErrorDetails, options?: ErrorOptions): MvmError =>
  new classes[codeEntry(code).reaction](code, message, details, options);

/** Turns a boundary record back into an error; an unknown code (of a newer peer) becomes `INTERNAL`. */
export const errorFromRecord = (record: { code: string; message: string; details?: unknown }): MvmError => {
  const details = isPlainObject(record.details) ? record.details : undefined;
  return isErrorCode(record.code)
    ? mvmError(record.code, record.message, details)
    : mvmError('INTERNAL', `${record.code}: ${record.message}`, details);
};

/** What was thrown, as one of our errors; anything else becomes `INTERNAL` with the original as its cause. */
export const asMvmError = (thrown: unknown): MvmError =>
  thrown instanceof MvmError
    ? thrown
    : mvmError('INTERNAL', thrown instanceof Error ? thrown.message : String(thrown), undefined, { cause: thrown });

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
