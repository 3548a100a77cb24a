// The core guest of the benches, in AssemblyScript (the encoding: docs/internals/step-machine.md). Its workflows:
// `nothing` completes in its first step, `three_effects` asks for three fetches, one after the other, `sequence` for as many
// as its input says, and `window` for as many, up to 100 of them at a time.

const windowSize: u32 = 100;
const activationBytesMax: i32 = 65_536;
const activation: usize = memory.data(65_536);
const intents: usize = memory.data(16_384);
let end: usize = 0;
let count: u32 = 0;
let total: u32 = 0;
let asked: u32 = 0;
let answered: u32 = 0;

export function mvm_alloc(length: i32): usize {
  assert(length <= activationBytesMax);
  return activation;
}

export function mvm_step(at: usize, length: i32): u64 {
  end = intents + 5;
  count = 0;
  // version u8, now f64, count u32, then the events
  const events = load<u32>(at + 9);
  let event = at + 13;
  for (let index: u32 = 0; index < events; index++) {
    const tag = load<u8>(event);
    if (tag == 0) start(event + 1);
    else if (tag == 1) event = answer(event + 5);
    else unreachable();
  }
  store<u8>(intents, 1);
  store<u32>(intents + 1, count);
  return ((<u64>intents) << 32) | <u64>(end - intents);
}

function start(at: usize): void {
  // job str, attempt u32, workflow str, input str: workflows are told apart by their first letter
  const workflow = after(at) + 4;
  const letter = load<u8>(workflow + 4);
  if (letter == 0x6e) return complete();
  total = letter == 0x74 ? 3 : numberAt(after(workflow));
  const first = letter == 0x77 ? min(windowSize, total) : 1;
  while (asked < first) fetch(++asked);
}

// One more answer; returns the place after its event.
function answer(at: usize): usize {
  answered++;
  if (asked < total) fetch(++asked);
  else if (answered == total) complete();
  // status u32, statusText str, url str, redirected u8, headers, body
  let place = after(after(at + 4)) + 1;
  const headers = load<u32>(place);
  place += 4;
  for (let index: u32 = 0; index < headers; index++) place = after(after(place));
  return after(place);
}

// The place after a text.
function after(at: usize): usize {
  return at + 4 + load<u32>(at);
}

function numberAt(at: usize): u32 {
  let value: u32 = 0;
  for (let place = at + 4; place < after(at); place++) value = value * 10 + (load<u8>(place) - 0x30);
  return value;
}

function fetch(call: u32): void {
  count++;
  byte(0);
  word(call);
  text('GET');
  text('http://effect.invalid/');
  word(0);
  byte(0);
  byte(0);
  word(60_000);
  byte(2);
  byte(0);
}

function complete(): void {
  count++;
  byte(5);
  text('null');
}

function byte(value: u8): void {
  store<u8>(end, value);
  end += 1;
}

function word(value: u32): void {
  store<u32>(end, value);
  end += 4;
}

function text(value: string): void {
  word(value.length);
  for (let index = 0; index < value.length; index++) byte(<u8>value.charCodeAt(index));
}
