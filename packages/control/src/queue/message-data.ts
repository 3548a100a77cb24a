import { limits, mvmError } from '@mvm-ci/protocol';

/** A message's data as JSON text. @throws PAYLOAD_TOO_LARGE */
export const messageData = (data: unknown): string => {
  const text = JSON.stringify(data ?? null);
  const size = Buffer.byteLength(text);
  if (size <= limits.messageBytesMax) return text;
  throw mvmError(
    'PAYLOAD_TOO_LARGE',
    `a message's data has at most ${limits.messageBytesMax} bytes as JSON, not ${size}`,
    {
      rule: limits.messageBytesMax,
      received: size,
    },
  );
};
