// The core guest of the benches, in AssemblyScript (the encoding: docs/internals/step-machine.md). Two workflows: `nothing`
// completes in its first step, `three_effects` asks for three fetches, one after the other. It keeps no state between
// steps: an answer names its call, and the next call is one more.

const fetches: u32 = 3;
const activationBytesMax: i32 = 65_536;
const activation: usize = memory.data(65_536);
const intents: usize = memory.data(256);
let end: usize = 0;

export function mvm_alloc(length: i32): usize {
  assert(length <= activationBytesMax);
  return activation;
}

export function mvm_step(at: usize, length: i32): u64 {
  end = intents;
  byte(1);
  word(1);
  // version u8, now f64, count u32, then the first event
  const event = at + 13;
  const tag = load<u8>(event);
  if (tag == 0) start(event + 1);
  else if (tag == 1) answered(load<u32>(event + 1));
  else unreachable();
  return ((<u64>intents) << 32) | <u64>(end - intents);
}

function start(at: usize): void {
  // job str, attempt u32, workflow str: told apart by its first letter
  const workflow = after(at) + 4;
  if (load<u8>(workflow + 4) == 0x6e) complete();
  else fetch(1);
}

function answered(call: u32): void {
  if (call == fetches) complete();
  else fetch(call + 1);
}

// The place after a text.
function after(at: usize): usize {
  return at + 4 + load<u32>(at);
}

function fetch(call: u32): void {
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
