/**
 * Every error code of the system, once: its HTTP status and the reaction that a caller should have.
 * `docs/reference/errors.md` explains each of them, and a test holds the two together.
 */

/** What a caller does about an error: mend the request, stop (the lease is gone), try later, give up, or accept. */
export type Reaction = 'caller' | 'stale' | 'retry' | 'terminal' | 'cancelled';

/** What goes with a code. */
export interface CodeEntry {
  readonly status: number;
  readonly reaction: Reaction;
}

/** Code → HTTP status and reaction. A new code needs a section in `docs/reference/errors.md`. */
export const errorCodes = {
  // The request is wrong: sending it again won't help.
  INVALID_ARGUMENT: { status: 400, reaction: 'caller' },
  INVALID_JSON: { status: 400, reaction: 'caller' },
  TICKET_INVALID: { status: 400, reaction: 'caller' },
  TICKET_EXPIRED: { status: 401, reaction: 'caller' },
  TICKET_REVOKED: { status: 401, reaction: 'caller' },
  TICKET_USED_UP: { status: 401, reaction: 'caller' },
  TICKET_OF_ANOTHER_CLUSTER: { status: 401, reaction: 'caller' },
  CONFIG_INVALID: { status: 400, reaction: 'caller' },
  UNAUTHENTICATED: { status: 401, reaction: 'caller' },
  FORBIDDEN: { status: 403, reaction: 'caller' },
  NOT_JOINED: { status: 403, reaction: 'caller' },
  ROUTE_NOT_FOUND: { status: 404, reaction: 'caller' },
  JOB_NOT_FOUND: { status: 404, reaction: 'caller' },
  MODULE_NOT_FOUND: { status: 404, reaction: 'caller' },
  BLOB_NOT_FOUND: { status: 404, reaction: 'caller' },
  WORKFLOW_NOT_FOUND: { status: 404, reaction: 'caller' },
  NODE_NOT_FOUND: { status: 404, reaction: 'caller' },
  TICKET_NOT_FOUND: { status: 404, reaction: 'caller' },
  WEBHOOK_NOT_FOUND: { status: 404, reaction: 'caller' },
  SCHEDULE_NOT_FOUND: { status: 404, reaction: 'caller' },
  QUERY_NOT_FOUND: { status: 404, reaction: 'caller' },
  NODE_AMBIGUOUS: { status: 409, reaction: 'caller' },
  ROLE_CONFLICT: { status: 409, reaction: 'caller' },
  JOB_EXISTS: { status: 409, reaction: 'caller' },
  INVALID_TRANSITION: { status: 409, reaction: 'caller' },
  WORKER_UNSUITABLE: { status: 409, reaction: 'caller' },
  JOURNAL_CONFLICT: { status: 409, reaction: 'caller' },
  MODULE_EXISTS: { status: 409, reaction: 'caller' },
  PAYLOAD_TOO_LARGE: { status: 413, reaction: 'caller' },
  VERSION_UNSUPPORTED: { status: 400, reaction: 'caller' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, reaction: 'caller' },
  MODULE_INVALID: { status: 422, reaction: 'terminal' },
  RUNTIME_NOT_INSTALLED: { status: 422, reaction: 'terminal' },
  MODULE_UNKNOWN_IMPORT: { status: 422, reaction: 'terminal' },
  MODULE_SYNTAX_ERROR: { status: 422, reaction: 'terminal' },
  MODULE_LOAD_FAILED: { status: 422, reaction: 'terminal' },
  QUERY_FAILED: { status: 422, reaction: 'caller' },
  BUILD_FAILED: { status: 422, reaction: 'caller' },

  // The sender lost its right to the job (I3).
  STALE_LEASE: { status: 409, reaction: 'stale' },

  // Nothing is wrong with the request: try again later.
  QUEUE_FULL: { status: 429, reaction: 'retry' },
  UNAVAILABLE: { status: 503, reaction: 'retry' },
  ENGINE_BUSY: { status: 503, reaction: 'retry' },
  DEADLINE_EXCEEDED: { status: 504, reaction: 'retry' },
  CONNECTION_LOST: { status: 503, reaction: 'retry' },
  CONTROL_PLANE_UNREACHABLE: { status: 503, reaction: 'retry' },

  // The attempt ends: these stand in a job's `error`.
  WORKFLOW_FAILED: { status: 422, reaction: 'terminal' },
  PROGRAM_FAILED: { status: 422, reaction: 'terminal' },
  NONDETERMINISM: { status: 422, reaction: 'terminal' },
  OUTCOME_UNKNOWN: { status: 422, reaction: 'terminal' },
  FUEL_EXHAUSTED: { status: 422, reaction: 'terminal' },
  STEP_TIMEOUT: { status: 422, reaction: 'terminal' },
  WORKFLOW_STUCK: { status: 422, reaction: 'terminal' },
  WORKER_KILLER: { status: 422, reaction: 'terminal' },
  START_TIMEOUT: { status: 422, reaction: 'terminal' },
  ATTEMPT_TIMEOUT: { status: 422, reaction: 'terminal' },
  JOB_TIMEOUT: { status: 422, reaction: 'terminal' },
  DEPENDENCY_FAILED: { status: 422, reaction: 'terminal' },
  GUEST_TRAPPED: { status: 422, reaction: 'terminal' },
  STACK_OVERFLOW: { status: 422, reaction: 'terminal' },
  GUEST_PROTOCOL: { status: 422, reaction: 'terminal' },
  OUT_OF_MEMORY: { status: 422, reaction: 'terminal' },
  LIMIT_EXCEEDED: { status: 422, reaction: 'terminal' },
  JOURNAL_CORRUPT: { status: 422, reaction: 'terminal' },

  CANCELLED: { status: 409, reaction: 'cancelled' },
  INTERNAL: { status: 500, reaction: 'terminal' },
} as const;

/** A stable error code, such as `STALE_LEASE`. */
export type ErrorCode = keyof typeof errorCodes;

/** The entry of a code. */
export const codeEntry = (code: ErrorCode): CodeEntry => errorCodes[code];

/** Whether `text` is one of our codes. */
export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(errorCodes, text);
