import {
  defaultBackoff,
  handlerAttempts,
  handlerOf,
  handlerPrefix,
  limits,
  mvmError,
  optionsText,
  type PublishJob,
} from '@mvm-ci/protocol';
import type { PublishItem } from '../machine/command.ts';
import { uuid, type Random } from '../random.ts';
import { contentHash } from './content-hash.ts';

/**
 * What the store keeps of a job that somebody publishes, in the trace `trace` (`traceText`).
 *
 * @throws PAYLOAD_TOO_LARGE when its input is above `inputBytesMax`
 */
export const publishItem = (job: PublishJob, random: Random, trace: string | null = null): PublishItem => {
  const isPayload = job.workflow === undefined && job.handler === undefined;
  const input = JSON.stringify((isPayload ? job.payload : job.input) ?? null);
  const size = Buffer.byteLength(input);
  if (size > limits.inputBytesMax) {
    throw mvmError(
      'PAYLOAD_TOO_LARGE',
      `a job's input has at most ${limits.inputBytesMax} bytes as JSON, not ${size}`,
      {
        rule: limits.inputBytesMax,
        received: size,
      },
    );
  }
  const reference = job.handler === undefined ? (job.workflow ?? null) : `${handlerPrefix}${job.handler}`;
  const isHandler = reference !== null && handlerOf(reference) !== undefined;
  const content = {
    reference,
    input,
    attemptsMax: job.attempts_max ?? (isHandler ? handlerAttempts : 1),
    backoff: job.backoff ?? defaultBackoff,
    options: optionsText(job),
  };
  return { id: job.job_id ?? uuid(random), ...content, trace, hash: contentHash(content) };
};
