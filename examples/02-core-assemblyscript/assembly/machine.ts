/** The events that a guest is told and the intents that it answers with, on the encoding of `wire.ts`. */
import { Reader, Writer } from './wire';

const version: u8 = 1;

export enum EventKind {
  Start = 0,
  Fetched = 1,
  Slept = 2,
  Error = 3,
}

/** One event, flat: what a kind doesn't have is 0 or ''. */
export class Event {
  kind: EventKind = EventKind.Start;
  /** Number of the answered call. */
  call: u32 = 0;
  job: string = '';
  attempt: u32 = 0;
  workflow: string = '';
  /** JSON text. */
  input: string = '';
  status: u32 = 0;
  /** Length of the response's body in bytes. */
  bodyBytes: u32 = 0;
  code: string = '';
  message: string = '';
}

/** The events of the activation at `at`. */
export function readActivation(at: usize): Event[] {
  const reader = new Reader(at);
  assert(reader.u8() == version);
  reader.f64();
  const count = reader.u32();
  const events = new Array<Event>();
  for (let index: u32 = 0; index < count; index++) events.push(readEvent(reader));
  return events;
}

function readEvent(reader: Reader): Event {
  const event = new Event();
  event.kind = <EventKind>reader.u8();
  switch (event.kind) {
    case EventKind.Start:
      readStart(reader, event);
      break;
    case EventKind.Fetched:
      readFetched(reader, event);
      break;
    case EventKind.Slept:
      event.call = reader.u32();
      break;
    case EventKind.Error:
      event.call = reader.u32();
      event.code = reader.str();
      event.message = reader.str();
      break;
  }
  return event;
}

function readStart(reader: Reader, event: Event): void {
  event.job = reader.str();
  event.attempt = reader.u32();
  event.workflow = reader.str();
  event.input = reader.str();
  reader.pass(32);
}

function readFetched(reader: Reader, event: Event): void {
  event.call = reader.u32();
  event.status = reader.u32();
  reader.passText();
  reader.passText();
  reader.u8();
  const headers = reader.u32();
  for (let index: u32 = 0; index < headers; index++) {
    reader.passText();
    reader.passText();
  }
  event.bodyBytes = reader.passText();
}

/** Collects the intents of one step. Calls are numbered from 1 over the whole attempt. */
export class Intents {
  private static lastCall: u32 = 0;
  private writer: Writer = new Writer();
  private count: u32 = 0;

  constructor() {
    this.writer.u8(version);
    this.writer.u32(0);
  }

  /** Asks for a GET of `url`; returns the call's number. */
  get(url: string): u32 {
    const writer = this.begin(0);
    const call = ++Intents.lastCall;
    writer.u32(call);
    writer.str('GET');
    writer.str(url);
    writer.u32(0);
    writer.u8(0);
    writer.u8(0);
    writer.u32(120000);
    writer.u8(2);
    writer.u8(0);
    return call;
  }

  /** Asks to be told when `ms` have passed; returns the call's number. */
  sleep(ms: f64): u32 {
    const writer = this.begin(1);
    const call = ++Intents.lastCall;
    writer.u32(call);
    writer.f64(ms);
    return call;
  }

  progress(percent: f64, text: string): void {
    const writer = this.begin(4);
    writer.f64(percent);
    writer.str(text);
  }

  /** Ends the attempt with a result, as JSON text. */
  complete(result: string): void {
    this.begin(5).str(result);
  }

  /** Ends the attempt with an error. */
  fail(code: string, message: string): void {
    const writer = this.begin(6);
    writer.str(code);
    writer.str('Error');
    writer.str(message);
    writer.str('');
  }

  /** What `mvm_step` returns. */
  packed(): u64 {
    this.writer.patch(1, this.count);
    return this.writer.packed();
  }

  private begin(tag: u8): Writer {
    this.count++;
    this.writer.u8(tag);
    return this.writer;
  }
}
