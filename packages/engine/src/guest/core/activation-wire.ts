/** Activations in the binary encoding of `core` guests (step-machine.md). */
import type { Answer, ChildOutcome, FetchResult } from '@mvm-ci/protocol';
import type { Activation, GuestEvent } from '../../run/activation.ts';
import { wireVersion, type WireWriter } from './wire-writer.ts';

/** Appends the activation to `writer`. */
export const writeActivation = (writer: WireWriter, { now, events }: Activation): void => {
  writer.u8(wireVersion);
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
      writer.optional(answer.from);
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
