/**
 * Thrown by a workflow: it has failed, whatever attempts are left.
 *
 * @example if (response.status === 404) throw new NonRetryableError('there is no such page');
 */
export class NonRetryableError extends Error {
  override readonly name: string = 'NonRetryableError';
}

/**
 * Thrown by a workflow: the next attempt, if one is left, begins after `ms`.
 *
 * @example throw new RetryAfterError(Number(response.headers.get('retry-after')) * 1_000);
 */
export class RetryAfterError extends Error {
  // The host reads the time from the name: a failure is kept as text.
  override readonly name: string;

  constructor(ms: number, message = 'try again later') {
    super(message);
    this.name = `RetryAfterError(${Math.max(0, Math.round(ms))})`;
  }
}
