/** The limits on what a guest may ask for, the same for all kinds (I8). */
import { limits, type FetchIntent, type InsideIntent, type Intent } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import { intentBytes } from '../run/entry-size.ts';
import { GuestFault } from './guest.ts';

/**
 * Checks the intents of one step.
 *
 * @throws {GuestFault} `LIMIT_EXCEEDED` with the limit and what was received, `GUEST_PROTOCOL` for a value that is no
 *   such thing (a negative sleep)
 */
export const checkIntents = (intents: readonly Intent[]): void => {
  atMost('intents in one step', intents.length, engineLimits.intentsMax);
  let bytes = 0;
  for (const intent of intents) {
    checkIntent(intent);
    bytes += intentBytes(intent);
  }
  atMost('bytes of intents in one step', bytes, engineLimits.intentsBytesMax);
};

const blobHash = /^[0-9a-f]{64}$/;

const checkIntent = (intent: Intent): void => {
  switch (intent.type) {
    case 'fetch':
      return checkFetch(intent);
    case 'sleep':
      return between('a sleep in ms', intent.ms, { from: 0, to: engineLimits.sleepMsMax });
    case 'abandon':
      return;
    case 'log':
      return atMost('characters in a log line', intent.text.length, engineLimits.logCharsMax);
    case 'progress':
      between('a percentage', intent.percent, { from: 0, to: 100 });
      return atMost('characters in a progress note', intent.text.length, limits.textCharsMax);
    case 'complete':
      return atMost('bytes in a result', Buffer.byteLength(intent.result), limits.resultBytesMax);
    case 'fail':
      for (const text of [intent.name, intent.message, intent.stack])
        atMost('characters in an error', text.length, engineLimits.errorTextCharsMax);
      return;
    default:
      return checkInside(intent);
  }
};

/** The intents that stay inside the system. */
const checkInside = (intent: InsideIntent): void => {
  switch (intent.type) {
    case 'receive':
      atMost('message types to receive', intent.types?.length ?? 0, engineLimits.receiveTypesMax);
      for (const type of intent.types ?? []) checkName('a message type', type);
      return;
    case 'start':
      if (intent.job !== null) checkName('a job id', intent.job);
      checkText('a workflow reference', intent.workflow, 3 * limits.idCharsMax);
      atMost('attempts of a job', intent.attemptsMax, limits.attemptsMax);
      return atMost('bytes in an input', Buffer.byteLength(intent.input), limits.inputBytesMax);
    case 'join':
      return checkName('a job id', intent.job);
    case 'send':
      checkName('a job id', intent.job);
      checkName('a message type', intent.messageType);
      return atMost("bytes in a message's data", Buffer.byteLength(intent.data), limits.messageBytesMax);
    case 'respond':
      return atMost('bytes in a response', Buffer.byteLength(intent.value), limits.resultBytesMax);
    case 'group':
      return atMost("characters in a group's name", intent.name.length, limits.textCharsMax);
    case 'version':
      return checkName('a change', intent.change);
  }
};

const checkName = (what: string, name: string): void => checkText(what, name, limits.idCharsMax);

const checkText = (what: string, text: string, charsMax: number): void => {
  if (text === '') throw wrong(`${what} has at least one character`);
  atMost(`characters in ${what}`, text.length, charsMax);
};

const checkFetch = ({ method, url, headers, body, timeoutMs, key, bodyBlob }: FetchIntent): void => {
  atMost('characters in a method', method.length, engineLimits.methodCharsMax);
  atMost('characters in a URL', url.length, engineLimits.urlCharsMax);
  atMost('headers of a request', headers.length, engineLimits.headersMax);
  for (const [name, value] of headers)
    atMost('characters in a header', name.length + value.length, engineLimits.headerCharsMax);
  atMost('bytes in a request body', body?.length ?? 0, engineLimits.bodyBytesMax);
  between('a timeout in ms', timeoutMs, { from: 1, to: engineLimits.fetchMsMax });
  if (!Number.isInteger(timeoutMs)) throw wrong(`a timeout is a whole number of ms, received ${timeoutMs}`);
  if (bodyBlob !== undefined && !blobHash.test(bodyBlob))
    throw wrong(`a blob is named by 64 hex digits, received ${JSON.stringify(bodyBlob.slice(0, 100))}`);
  atMost('characters in an idempotency key', key?.length ?? 0, engineLimits.keyCharsMax);
};

const atMost = (what: string, received: number, limit: number): void => {
  if (received <= limit) return;
  throw new GuestFault({
    code: 'LIMIT_EXCEEDED',
    message: `at most ${limit} ${what}, received ${received}`,
    details: { what, limit, received },
  });
};

const between = (what: string, received: number, { from, to }: { from: number; to: number }): void => {
  if (!(received >= from)) throw wrong(`${what} is at least ${from}, received ${received}`);
  if (received > to)
    throw new GuestFault({
      code: 'LIMIT_EXCEEDED',
      message: `${what} is at most ${to}, received ${received}`,
      details: { what, limit: to, received },
    });
};

const wrong = (rule: string): GuestFault =>
  new GuestFault({ code: 'GUEST_PROTOCOL', message: `the guest's intents are wrong: ${rule}` });
