/** The events that a guest is told and the intents that it answers with, on the encoding of `wire.ts`. */
import { Reader, Writer } from './wire';

const version: u8 = 1;

export enum EventKind {
  Start = 0,
  Fetched = 1,
  Slept = 2,
  Error = 3,
  Message = 4,
  Started = 5,
  Joined = 6,
  Sent = 7,
  Version = 8,
}

/** How a child job ended. */
export enum Outcome {
  Completed = 0,
  Failed = 1,
  Cancelled = 2,
}

/** One event, flat: what a kind doesn't have is 0 or ''. */
export class Event {
  kind: EventKind = EventKind.Start;
  /** Number of the answered call. */
  call: u32 = 0;
  /** Start: this job; Started: the child; Message: the job that sent it, '' when it came from outside. */
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
  messageType: string = '';
  /** JSON text of a message, or the result of a child that completed. */
  data: string = '';
  /** Of a Joined event. */
  outcome: Outcome = Outcome.Completed;
  /** What a Version event is about. */
  change: string = '';
  /** Whether the code that knows the change may run. */
  chosen: bool = false;
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
    case EventKind.Sent:
      event.call = reader.u32();
      break;
    case EventKind.Message:
      readMessage(reader, event);
      break;
    case EventKind.Started:
      event.call = reader.u32();
      event.job = reader.str();
      break;
    case EventKind.Joined:
      readJoined(reader, event);
      break;
    case EventKind.Version:
      event.change = reader.str();
      event.chosen = reader.u8() == 1;
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

function readMessage(reader: Reader, event: Event): void {
  event.call = reader.u32();
  if (reader.u8() == 1) event.job = reader.str();
  event.messageType = reader.str();
  event.data = reader.str();
}

function readJoined(reader: Reader, event: Event): void {
  event.call = reader.u32();
  event.outcome = <Outcome>reader.u8();
  if (event.outcome == Outcome.Completed) event.data = reader.str();
  if (event.outcome == Outcome.Failed) event.code = reader.str();
  if (event.outcome != Outcome.Completed) event.message = reader.str();
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

  /** The answer of `call` is no longer wanted. */
  abandon(call: u32): void {
    this.begin(2).u32(call);
  }

  /** `level`: 0 debug, 1 info, 2 warn, 3 error. */
  log(level: u8, text: string): void {
    const writer = this.begin(3);
    writer.u8(level);
    writer.str(text);
  }

  /** Waits for a message of one of these types, with none of any type; returns the call's number. */
  receive(types: string[]): u32 {
    const call = this.beginCall(8);
    this.writer.u8(types.length > 0 ? 1 : 0);
    if (types.length > 0) this.writer.u32(types.length);
    for (let index = 0; index < types.length; index++) this.writer.str(types[index]);
    return call;
  }

  /** Starts a job of another workflow, which is cancelled when this one ends; `input` is JSON text. */
  start(workflow: string, input: string): u32 {
    const call = this.beginCall(9);
    this.writer.u8(0);
    this.writer.str(workflow);
    this.writer.str(input);
    this.writer.u32(1);
    this.writer.u8(0);
    return call;
  }

  /** Waits for the end of a job that this attempt started. */
  join(job: string): u32 {
    const call = this.beginCall(10);
    this.writer.str(job);
    return call;
  }

  /** Puts a message into another job's inbox; `data` is JSON text. */
  send(job: string, messageType: string, data: string): u32 {
    const call = this.beginCall(11);
    this.writer.str(job);
    this.writer.str(messageType);
    this.writer.str(data);
    return call;
  }

  /** An early result, for who waits for one; JSON text. */
  respond(value: string): void {
    this.begin(12).str(value);
  }

  /** Asks whether the code that knows this change may run: a Version event answers within the same step. */
  version(change: string): void {
    this.begin(14).str(change);
  }

  /** What `mvm_step` returns. */
  packed(): u64 {
    this.writer.patch(1, this.count);
    return this.writer.packed();
  }

  private beginCall(tag: u8): u32 {
    const call = ++Intents.lastCall;
    this.begin(tag).u32(call);
    return call;
  }

  private begin(tag: u8): Writer {
    this.count++;
    this.writer.u8(tag);
    return this.writer;
  }
}
