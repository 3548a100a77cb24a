/** How an attempt's failure is reported to the holder of the job. */
import { limits, type ErrorCode, type ErrorDetails, type FinishOutcome } from '@mvm-ci/protocol';

/** Why an attempt ends. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails | undefined;
}

/** Codes of which a new attempt may come to another end: a throw of the author's, and what the network did. */
const retryableCodes: ReadonlySet<string> = new Set([
  'WORKFLOW_FAILED',
  'PROGRAM_FAILED',
  'CONNECTION_LOST',
  'DEADLINE_EXCEEDED',
]);

/** The outcome that a failure is; its message is cut to what is stored. */
export const failedOutcome = ({ code, message, details }: Failure): FinishOutcome & { readonly type: 'failed' } => ({
  type: 'failed',
  error: { code, message: message.slice(0, limits.errorMessageCharsMax), ...(details && { details }) },
  retryable: retryableCodes.has(code) && !nonRetryable.test(message),
  ...retryAfter(message),
});

// What the author threw is kept as its name and message: these names are of the SDK's errors, and free to other languages.
const nonRetryable = /^NonRetryableError\b/;

const retryAfter = (message: string): { readonly retryAfterMs?: number } => {
  const ms = Number(/^RetryAfterError\((\d+(?:\.\d+)?(?:e\+\d+)?|Infinity)\)/.exec(message)?.[1]);
  return Number.isNaN(ms) ? {} : { retryAfterMs: Math.min(Math.round(ms), limits.durationMsMax) };
};
