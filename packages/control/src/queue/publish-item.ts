import { defaultBackoff, limits, mvmError, type PublishJob } from '@mvm-ci/protocol';
import type { PublishItem } from '../machine/command.ts';
import { uuid, type Random } from '../random.ts';
import { contentHash } from './content-hash.ts';

/**
 * What the store keeps of a job that somebody publishes.
 *
 * @throws PAYLOAD_TOO_LARGE when its input is above `inputBytesMax`
 */
export const publishItem = (job: PublishJob, random: Random): PublishItem => {
  const input = JSON.stringify((job.workflow === undefined ? job.payload : job.input) ?? null);
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
  const content = {
    reference: job.workflow ?? null,
    input,
    attemptsMax: job.attempts_max ?? 1,
    backoff: job.backoff ?? defaultBackoff,
  };
  return { id: job.job_id ?? uuid(random), ...content, hash: contentHash(content) };
};
