/** Activations and intents in the binary encoding of `core` guests (step-machine.md). */
import {
  logLevels,
  redirectModes,
  type Answer,
  type ChildOutcome,
  type FetchIntent,
  type FetchResult,
  type Intent,
} from '@mvm-ci/protocol';
import { engineLimits } from '../../limits.ts';
import type { Activation, GuestEvent } from '../../run/activation.ts';
import { GuestFault } from '../guest.ts';
import { WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

const version = 1;

/** Appends the activation to `writer`. */
export const writeActivation = (writer: WireWriter, { now, events }: Activation): void => {
  writer.u8(version);
  writer.f64(now);
  writer.u32(events.length);
  for (const event of events) writeEvent(writer, event);
};

const writeEvent = (writer: WireWriter, event: GuestEvent): void => {
  if (event.type === 'answer') return writeAnswer(writer, event.call, event.answer);
  if (event.type === 'version') {
    writer.u8(8);
    writer.text(event.change);
    return writer.u8(event.chosen ? 1 : 0);
  }
  writer.u8(0);
  writer.text(event.job);
  writer.u32(event.attempt);
  writer.text(event.workflow);
  writer.text(event.input);
  writer.raw(event.seed);
};

const writeAnswer = (writer: WireWriter, call: number, answer: Answer): void => {
  switch (answer.type) {
    case 'fetched':
      return writeFetched(writer, call, answer.response);
    case 'slept':
      writer.u8(2);
      return writer.u32(call);
    case 'error':
      writer.u8(3);
      writer.u32(call);
      writer.text(answer.code);
      return writer.text(answer.message);
    default:
      return writeInside(writer, call, answer);
  }
};

const writeFetched = (writer: WireWriter, call: number, response: FetchResult): void => {
  const { status, statusText, url, redirected, headers, body, blob } = response;
  writer.u8(blob ? 9 : 1);
  writer.u32(call);
  writer.u32(status);
  writer.text(statusText);
  writer.text(url);
  writer.u8(redirected ? 1 : 0);
  writer.u32(headers.length);
  for (const part of headers.flat()) writer.text(part);
  if (!blob) return writer.bytes(body);
  writer.text(blob.hash);
  writer.f64(blob.bytes);
};

/** The answers that come from inside the system. */
const writeInside = (
  writer: WireWriter,
  call: number,
  answer: Exclude<Answer, { type: 'fetched' | 'slept' | 'error' }>,
): void => {
  switch (answer.type) {
    case 'message':
      writer.u8(4);
      writer.u32(call);
      writeOptional(writer, answer.from);
      writer.text(answer.messageType);
      return writer.text(answer.data);
    case 'started':
      writer.u8(5);
      writer.u32(call);
      return writer.text(answer.job);
    case 'joined':
      writer.u8(6);
      writer.u32(call);
      return writeOutcome(writer, answer.outcome);
    case 'sent':
      writer.u8(7);
      return writer.u32(call);
  }
};

const writeOutcome = (writer: WireWriter, outcome: ChildOutcome): void => {
  switch (outcome.type) {
    case 'completed':
      writer.u8(0);
      return writer.text(outcome.result);
    case 'failed':
      writer.u8(1);
      writer.text(outcome.code);
      return writer.text(outcome.message);
    case 'cancelled':
      writer.u8(2);
      return writer.text(outcome.reason);
  }
};

const writeOptional = (writer: WireWriter, text: string | null): void => {
  writer.u8(text === null ? 0 : 1);
  if (text !== null) writer.text(text);
};

/**
 * The intents in `bytes`.
 *
 * @throws {GuestFault} `GUEST_PROTOCOL` naming the byte at which something else was expected; `LIMIT_EXCEEDED` for too many
 */
export const readIntents = (bytes: Uint8Array): readonly Intent[] => {
  const reader = new WireReader(bytes);
  if (reader.u8() !== version) throw wrong(reader, `version ${version}`);
  const count = reader.u32();
  // Before they are made: a step's bytes could hold millions.
  if (count > engineLimits.intentsMax) throw tooMany(count);
  const intents = Array.from({ length: count }, () => readIntent(reader));
  if (!reader.isAtEnd) throw wrong(reader, 'the end');
  return intents;
};

const tooMany = (received: number): GuestFault => {
  const limit = engineLimits.intentsMax;
  return new GuestFault({
    code: 'LIMIT_EXCEEDED',
    message: `at most ${limit} intents in one step, received ${received}`,
    details: { what: 'intents in one step', limit, received },
  });
};

const readIntent = (reader: WireReader): Intent => {
  const tag = reader.u8();
  switch (tag) {
    case 0:
      return readFetch(reader);
    case 1:
      return { type: 'sleep', call: readCall(reader), ms: reader.f64() };
    case 2:
      return { type: 'abandon', call: readCall(reader) };
    case 3:
      return { type: 'log', level: readFrom(reader, logLevels), text: reader.text() };
    case 4:
      return { type: 'progress', percent: reader.f64(), text: reader.text() };
    case 5:
      return { type: 'complete', result: readJson(reader) };
    case 6:
      return { type: 'fail', code: reader.text(), name: reader.text(), message: reader.text(), stack: reader.text() };
    case 7:
      return readFetchWithBlobs(reader);
    default:
      return readInside(reader, tag);
  }
};

/** The intents that stay inside the system. */
const readInside = (reader: WireReader, tag: number): Intent => {
  switch (tag) {
    case 8:
      return { type: 'receive', call: readCall(reader), types: readOptional(reader, () => readList(reader, readText)) };
    case 9:
      return {
        type: 'start',
        call: readCall(reader),
        job: readOptional(reader, () => reader.text()),
        workflow: reader.text(),
        input: readJson(reader),
        attemptsMax: readCall(reader),
        detached: readFrom(reader, [false, true]),
      };
    case 10:
      return { type: 'join', call: readCall(reader), job: reader.text() };
    case 11:
      return {
        type: 'send',
        call: readCall(reader),
        job: reader.text(),
        messageType: reader.text(),
        data: readJson(reader),
      };
    case 12:
      return { type: 'respond', value: readJson(reader) };
    case 13:
      return {
        type: 'group',
        action: readFrom(reader, ['open', 'close']),
        id: readCall(reader),
        name: reader.text(),
      };
    case 14:
      return { type: 'version', change: reader.text() };
    default:
      throw wrong(reader, 'an intent tag of 0 to 14');
  }
};

const readText = (reader: WireReader): string => reader.text();

const readFetchWithBlobs = (reader: WireReader): FetchIntent => {
  const plain = readFetch(reader);
  const isBlob = readFrom(reader, [false, true]);
  const bodyBlob = readOptional(reader, () => reader.text());
  return { ...plain, ...(isBlob && { into: 'blob' as const }), ...(bodyBlob !== null && { bodyBlob }) };
};

const readFetch = (reader: WireReader): FetchIntent => ({
  type: 'fetch',
  call: readCall(reader),
  method: reader.text(),
  url: reader.text(),
  headers: readList(reader, () => [reader.text(), reader.text()] as const),
  body: readOptional(reader, () => reader.bytes()),
  redirect: readFrom(reader, redirectModes),
  timeoutMs: reader.u32(),
  idempotent: readFrom(reader, [false, true, null]),
  key: readOptional(reader, () => reader.text()),
});

const readCall = (reader: WireReader): number => {
  const call = reader.u32();
  if (call === 0) throw wrong(reader, 'a call number from 1');
  return call;
};

const readJson = (reader: WireReader): string => {
  const text = reader.text();
  try {
    // Canonical: the same value has the same text, as with `javascript` guests.
    return JSON.stringify(JSON.parse(text));
  } catch {
    throw wrong(reader, 'a result in JSON');
  }
};

const readList = <T>(reader: WireReader, read: (reader: WireReader) => T): readonly T[] => {
  const length = reader.u32();
  const items: T[] = [];
  // A huge count ends with the bytes, not with an array of that length.
  while (items.length < length) items.push(read(reader));
  return items;
};

const readOptional = <T>(reader: WireReader, read: () => T): T | null =>
  readFrom(reader, [false, true]) ? read() : null;

const readFrom = <T>(reader: WireReader, values: readonly T[]): T => {
  const value = values[reader.u8()];
  if (value === undefined) throw wrong(reader, `a number below ${values.length}`);
  return value;
};

const wrong = (reader: WireReader, expected: string): GuestFault =>
  new GuestFault({
    code: 'GUEST_PROTOCOL',
    message: `the guest's intents are wrong: ${expected} was expected at byte ${reader.at}`,
  });
