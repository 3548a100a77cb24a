/** Intents in the binary encoding of `core` guests (step-machine.md): as a guest writes them, and read from it. */
import { logLevels, redirectModes, type FetchIntent, type InsideIntent, type Intent } from '@mvm-ci/protocol';
import { engineLimits } from '../../limits.ts';
import { GuestFault } from '../guest.ts';
import { WireReader } from './wire-reader.ts';
import { wireVersion, type WireWriter } from './wire-writer.ts';

/** Appends the intents of one step, as a guest would. */
export const writeIntents = (writer: WireWriter, intents: readonly Intent[]): void => {
  writer.u8(wireVersion);
  writer.u32(intents.length);
  for (const intent of intents) writeIntent(writer, intent);
};

const writeIntent = (writer: WireWriter, intent: Intent): void => {
  switch (intent.type) {
    case 'fetch':
      return writeFetch(writer, intent);
    case 'sleep':
      writer.u8(1);
      writer.u32(intent.call);
      return writer.f64(intent.ms);
    case 'abandon':
      writer.u8(2);
      return writer.u32(intent.call);
    case 'log':
      writer.u8(3);
      writer.u8(logLevels.indexOf(intent.level));
      return writer.text(intent.text);
    case 'progress':
      writer.u8(4);
      writer.f64(intent.percent);
      return writer.text(intent.text);
    case 'complete':
      writer.u8(5);
      return writer.text(intent.result);
    case 'fail':
      writer.u8(6);
      for (const text of [intent.code, intent.name, intent.message, intent.stack]) writer.text(text);
      return;
    default:
      return writeInside(writer, intent);
  }
};

/** The intents that stay inside the system. */
const writeInside = (writer: WireWriter, intent: InsideIntent): void => {
  switch (intent.type) {
    case 'receive':
      writer.u8(8);
      writer.u32(intent.call);
      writer.u8(intent.types === null ? 0 : 1);
      if (intent.types === null) return;
      writer.u32(intent.types.length);
      for (const type of intent.types) writer.text(type);
      return;
    case 'start':
      writer.u8(9);
      writer.u32(intent.call);
      writer.optional(intent.job);
      writer.text(intent.workflow);
      writer.text(intent.input);
      writer.u32(intent.attemptsMax);
      return writer.u8(intent.detached ? 1 : 0);
    case 'join':
      writer.u8(10);
      writer.u32(intent.call);
      return writer.text(intent.job);
    case 'send':
      writer.u8(11);
      writer.u32(intent.call);
      for (const text of [intent.job, intent.messageType, intent.data]) writer.text(text);
      return;
    case 'respond':
      writer.u8(12);
      return writer.text(intent.value);
    case 'group':
      writer.u8(13);
      writer.u8(intent.action === 'open' ? 0 : 1);
      writer.u32(intent.id);
      return writer.text(intent.name);
    case 'version':
      writer.u8(14);
      return writer.text(intent.change);
  }
};

const writeFetch = (writer: WireWriter, intent: FetchIntent): void => {
  const { call, method, url, headers, body, redirect, timeoutMs, idempotent, key, into, bodyBlob } = intent;
  const hasBlobs = into !== undefined || bodyBlob !== undefined;
  writer.u8(hasBlobs ? 7 : 0);
  writer.u32(call);
  writer.text(method);
  writer.text(url);
  writer.u32(headers.length);
  for (const [name, value] of headers) {
    writer.text(name);
    writer.text(value);
  }
  writer.u8(body ? 1 : 0);
  if (body) writer.bytes(body);
  writer.u8(redirectModes.indexOf(redirect));
  writer.u32(timeoutMs);
  writer.u8(idempotent === null ? 2 : Number(idempotent));
  writer.optional(key);
  if (!hasBlobs) return;
  writer.u8(into === undefined ? 0 : 1);
  writer.optional(bodyBlob ?? null);
};

/**
 * The intents in `bytes`.
 *
 * @throws {GuestFault} `GUEST_PROTOCOL` naming the byte at which something else was expected; `LIMIT_EXCEEDED` for too many
 */
export const readIntents = (bytes: Uint8Array): readonly Intent[] => {
  const reader = new WireReader(bytes);
  if (reader.u8() !== wireVersion) throw wrong(reader, `version ${wireVersion}`);
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
