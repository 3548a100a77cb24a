// Programs that only compute, in AssemblyScript: what metering costs is measured on them. Each does the same work each time.

const bytes: i32 = 262_144;
const data: usize = memory.data(262_144);
const cells: i32 = 96;
const left: usize = memory.data(73_728);
const right: usize = memory.data(73_728);
const product: usize = memory.data(73_728);

/** CRC-32, bit by bit: a loop of few instructions. */
export function checksum(rounds: i32): f64 {
  let crc: u32 = 0xffffffff;
  for (let round = 0; round < rounds; round++)
    for (let at = 0; at < bytes; at++) {
      crc ^= load<u8>(data + at) ^ (at & 255);
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & (0 - (crc & 1)));
    }
  return <f64>~crc;
}

/** Multiplies matrices of doubles. */
export function multiply(rounds: i32): f64 {
  for (let cell = 0; cell < cells * cells; cell++) {
    store<f64>(left + (cell << 3), <f64>(cell % 7));
    store<f64>(right + (cell << 3), <f64>(cell % 5));
  }
  let trace = 0.0;
  for (let round = 0; round < rounds; round++) {
    for (let row = 0; row < cells; row++)
      for (let column = 0; column < cells; column++) {
        let sum = 0.0;
        for (let k = 0; k < cells; k++)
          sum += load<f64>(left + ((row * cells + k) << 3)) * load<f64>(right + ((k * cells + column) << 3));
        store<f64>(product + ((row * cells + column) << 3), sum);
      }
    trace += load<f64>(product + (round % cells) * (cells + 1) * 8);
  }
  return trace;
}

/** Sorts numbers by a heap, with a function for each sift. */
export function sort(rounds: i32): f64 {
  const count = bytes >> 2;
  let sum: u32 = 0;
  for (let round = 0; round < rounds; round++) {
    let state: u32 = 2_463_534_242 + round;
    for (let at = 0; at < count; at++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      store<u32>(data + (at << 2), state);
    }
    for (let top = (count >> 1) - 1; top >= 0; top--) sift(top, count);
    for (let end = count - 1; end > 0; end--) {
      const largest = load<u32>(data);
      store<u32>(data, load<u32>(data + (end << 2)));
      store<u32>(data + (end << 2), largest);
      sift(0, end);
    }
    sum += load<u32>(data + ((count >> 1) << 2));
  }
  return <f64>sum;
}

function sift(top: i32, end: i32): void {
  const value = load<u32>(data + (top << 2));
  let at = top;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= end) break;
    if (child + 1 < end && load<u32>(data + ((child + 1) << 2)) > load<u32>(data + (child << 2))) child++;
    if (load<u32>(data + (child << 2)) <= value) break;
    store<u32>(data + (at << 2), load<u32>(data + (child << 2)));
    at = child;
  }
  store<u32>(data + (at << 2), value);
}

/** Fibonacci numbers by recursion: hardly more than calls. */
export function calls(rounds: i32): f64 {
  let sum = 0;
  for (let round = 0; round < rounds; round++) sum += fibonacci(24);
  return <f64>sum;
}

function fibonacci(n: i32): i32 {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}
