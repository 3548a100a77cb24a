/**
 * A workflow without a language runtime: three fetches of one URL, one after another, with a short sleep between them.
 * It returns how they were answered. Input: `{"url":"…"}`, and optionally `"pauseMs"`.
 */
import { numberField, textField } from './json';
import { Event, EventKind, Intents, readActivation } from './machine';

const fetches: u32 = 3;

// The whole state of the workflow: between two steps there is nothing else.
let url = '';
let pauseMs: f64 = 0;
const statuses = new Array<u32>();
const lengths = new Array<u32>();
let isEnded = false;

/** A place for the activation's bytes. */
export function mvm_alloc(length: u32): usize {
  return changetype<usize>(new ArrayBuffer(length));
}

/** One step: takes the activation at `at`, returns the intents. */
export function mvm_step(at: usize, length: u32): u64 {
  const intents = new Intents();
  const events = readActivation(at);
  for (let index = 0; index < events.length && !isEnded; index++) take(events[index], intents);
  return intents.packed();
}

function take(event: Event, intents: Intents): void {
  switch (event.kind) {
    case EventKind.Start:
      start(event, intents);
      break;
    case EventKind.Fetched:
      note(event, intents);
      break;
    case EventKind.Slept:
      intents.get(url);
      break;
    case EventKind.Error:
      isEnded = true;
      intents.fail(event.code, event.message);
      break;
  }
}

function start(event: Event, intents: Intents): void {
  url = textField(event.input, 'url');
  pauseMs = numberField(event.input, 'pauseMs', 10);
  if (url.length > 0) {
    intents.get(url);
    return;
  }
  isEnded = true;
  intents.fail('WORKFLOW_FAILED', 'the input must be {"url":"…"}');
}

function note(event: Event, intents: Intents): void {
  statuses.push(event.status);
  lengths.push(event.bodyBytes);
  const done = <u32>statuses.length;
  intents.progress((100.0 * done) / fetches, done.toString() + ' of ' + fetches.toString());
  if (done < fetches) {
    intents.sleep(pauseMs);
    return;
  }
  isEnded = true;
  intents.complete('{"statuses":[' + statuses.join(',') + '],"bytes":[' + lengths.join(',') + ']}');
}
