/** Intents in the binary encoding of `core` guests, as a guest would write them (step-machine.md). */
import { logLevels, redirectModes, type FetchIntent, type InsideIntent, type Intent } from '@mvm-ci/protocol';
import type { WireWriter } from './wire-writer.ts';

const version = 1;

/** Appends the intents of one step. */
export const writeIntents = (writer: WireWriter, intents: readonly Intent[]): void => {
  writer.u8(version);
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
      writeOptional(writer, intent.job);
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
  writeOptional(writer, key);
  if (!hasBlobs) return;
  writer.u8(into === undefined ? 0 : 1);
  writeOptional(writer, bodyBlob ?? null);
};

const writeOptional = (writer: WireWriter, text: string | null): void => {
  writer.u8(text === null ? 0 : 1);
  if (text !== null) writer.text(text);
};
