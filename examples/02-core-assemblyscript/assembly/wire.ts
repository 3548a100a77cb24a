/**
 * The binary encoding between host and guest (docs/internals/step-machine.md, "Encoding for `core`"). All numbers are
 * little-endian and unaligned; texts are UTF-8 with a u32 length in front.
 */

/** Reads an activation where the host has written it. */
export class Reader {
  constructor(private at: usize) {}

  u8(): u8 {
    const value = load<u8>(this.at);
    this.at += 1;
    return value;
  }

  u32(): u32 {
    const value = load<u32>(this.at);
    this.at += 4;
    return value;
  }

  f64(): f64 {
    const value = load<f64>(this.at);
    this.at += 8;
    return value;
  }

  str(): string {
    const length = this.u32();
    const text = String.UTF8.decodeUnsafe(this.at, length);
    this.at += length;
    return text;
  }

  /** Steps over a text or bytes and returns its length. */
  passText(): u32 {
    const length = this.u32();
    this.at += length;
    return length;
  }

  /** Steps over `count` bytes. */
  pass(count: u32): void {
    this.at += count;
  }
}

/** Writes intents; grows by itself. */
export class Writer {
  private buffer: ArrayBuffer = new ArrayBuffer(1024);
  private length: u32 = 0;

  u8(value: u8): void {
    store<u8>(this.place(1), value);
  }

  u32(value: u32): void {
    store<u32>(this.place(4), value);
  }

  f64(value: f64): void {
    store<f64>(this.place(8), value);
  }

  str(text: string): void {
    const bytes = String.UTF8.byteLength(text);
    this.u32(bytes);
    String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, this.place(bytes));
  }

  /** Puts `value` at `offset`, over what was written there: a count that is known at the end. */
  patch(offset: u32, value: u32): void {
    store<u32>(changetype<usize>(this.buffer) + offset, value);
  }

  /** Place and length of what was written, as `mvm_step` returns them. */
  packed(): u64 {
    return ((<u64>changetype<usize>(this.buffer)) << 32) | <u64>this.length;
  }

  // The place of the next `count` bytes, after making room for them.
  private place(count: u32): usize {
    const needed = this.length + count;
    if (needed > <u32>this.buffer.byteLength) {
      const grown = new ArrayBuffer(max<i32>(<i32>needed, this.buffer.byteLength * 2));
      memory.copy(changetype<usize>(grown), changetype<usize>(this.buffer), this.length);
      this.buffer = grown;
    }
    const at = changetype<usize>(this.buffer) + this.length;
    this.length = needed;
    return at;
  }
}
