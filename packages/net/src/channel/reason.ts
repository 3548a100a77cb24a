/** Why a conversation or a channel is over, as the payload of CLOSE. */
import { decodeBody, encodeBody, errorFromRecord, mvmError, type MvmError } from '@mvm-ci/protocol';

const messagePack = 'application/msgpack';
const reasonBytesMax = 8_192;
const messageCharsMax = 1_000;
const nothing = new Uint8Array(0);

/** The payload for `error`; details that are too long stay here. */
export const reasonOf = (error: MvmError | undefined): Uint8Array => {
  if (!error) return nothing;
  const { code, message } = error;
  const payload = encodeBody(error.toRecord(), messagePack);
  return payload.length <= reasonBytesMax
    ? payload
    : encodeBody({ code, message: message.slice(0, messageCharsMax) }, messagePack);
};

/** The error in a payload; undefined when it has none. What can't be read is INTERNAL, and never thrown. */
export const readReason = (payload: Uint8Array): MvmError | undefined => {
  if (payload.length === 0) return undefined;
  try {
    const record: unknown = decodeBody(payload, messagePack);
    if (isRecord(record)) return errorFromRecord(record);
  } catch {
    // Said below.
  }
  return mvmError('INTERNAL', 'the other side gave a reason that can not be read');
};

const isRecord = (value: unknown): value is { code: string; message: string; details?: unknown } =>
  typeof value === 'object' &&
  value !== null &&
  'code' in value &&
  typeof value.code === 'string' &&
  'message' in value &&
  typeof value.message === 'string';
