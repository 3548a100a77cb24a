/** Modules that are meant to hurt whoever admits them: large ones, and ones at the limits of the format. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coreModule } from '@mvm-ci/testkit';
import { admitModule, systemClock } from '../../src/index.ts';

const leb = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]);
const vector = (items: readonly Uint8Array[]): Buffer => Buffer.concat([Buffer.from(leb(items.length)), ...items]);
const sized = (content: Uint8Array): Buffer => Buffer.concat([Buffer.from(leb(content.length)), content]);
const section = (id: number, content: Uint8Array): Buffer => Buffer.concat([Buffer.from([id]), sized(content)]);
const name = (text: string): Buffer => sized(Buffer.from(text));
const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);

interface Parts {
  /** Bodies of more functions `() → ()`, with their locals. */
  readonly bodies?: readonly Uint8Array[];
  /** Sections before the code, after it, and behind everything. */
  readonly before?: Uint8Array;
  readonly data?: Uint8Array;
  readonly behind?: Uint8Array;
  readonly pages?: number;
}

/** A valid `core` module around what is to hurt. */
const core = ({ bodies = [], before = bytes(), data = bytes(), behind = bytes(), pages = 1 }: Parts): Uint8Array =>
  Buffer.concat([
    bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
    section(1, vector([bytes(0x60, 1, 0x7f, 1, 0x7f), bytes(0x60, 2, 0x7f, 0x7f, 1, 0x7e), bytes(0x60, 0, 0)])),
    section(3, vector([bytes(0), bytes(1), ...bodies.map(() => bytes(2))])),
    before,
    section(5, bytes(1, 0, ...leb(pages))),
    section(
      7,
      vector([
        Buffer.concat([name('memory'), bytes(2, 0)]),
        Buffer.concat([name('mvm_alloc'), bytes(0, 0)]),
        Buffer.concat([name('mvm_step'), bytes(0, 1)]),
      ]),
    ),
    section(10, vector([bytes(0, 0x41, 0, 0x0b), bytes(0, 0x42, 0, 0x0b), ...bodies].map(sized))),
    data,
    behind,
  ]);

const admit = (code: Uint8Array): Promise<unknown> => admitModule(coreModule(code));
const admitted = { workflows: ['main'] };
const many = (count: number, body: Uint8Array): readonly Uint8Array[] => Array.from({ length: count }, () => body);
const locals = (count: number): Uint8Array => bytes(1, ...leb(count), 0x7e, 0x0b);
const nested = (depth: number): Uint8Array =>
  Buffer.concat([bytes(0), Buffer.alloc(2 * depth, Buffer.from([0x02, 0x40])), Buffer.alloc(depth + 1, 0x0b)]);
const branches = (count: number): Uint8Array =>
  Buffer.concat([bytes(0, 0x41, 0, 0x0e, ...leb(count)), Buffer.alloc(count + 1), bytes(0x0b)]);
const refused = (message: RegExp): { code: string; message: RegExp } => ({ code: 'MODULE_INVALID', message });
const mib = 1_048_576;

describe('admission of a module', () => {
  it('lets one in that is large only by what surrounds its code', async () => {
    const custom = section(0, Buffer.concat([name('padding'), Buffer.alloc(60 * mib)]));
    assert.deepEqual(await admit(core({ behind: custom })), admitted);
  });

  it('lets in a data segment that fills its memory, and refuses one that is larger than that', async () => {
    const data = (length: number): Buffer =>
      section(11, vector([Buffer.concat([bytes(0, 0x41, 0, 0x0b), sized(Buffer.alloc(length, 1))])]));
    assert.deepEqual(await admit(core({ data: data(32 * mib), pages: 512 })), admitted);
    await assert.rejects(admit(core({ data: data(32 * mib), pages: 511 })), {
      code: 'MODULE_LOAD_FAILED',
      message: /data segment 0 is out of bounds/,
    });
  });

  it('lets in a hundred thousand functions, and refuses more than a million with the count and its offset', async () => {
    const empty = bytes(0, 0x0b);
    assert.deepEqual(await admit(core({ bodies: many(100_000, empty) })), admitted);
    await assert.rejects(
      admit(core({ bodies: many(1_000_001, empty) })),
      refused(/functions count of 1000003 .* @\+\d+/),
    );
  });

  it('lets in 50,000 locals, and refuses more with the function and its offset', async () => {
    assert.deepEqual(await admit(core({ bodies: [locals(49_000)] })), admitted);
    await assert.rejects(admit(core({ bodies: [locals(50_001)] })), refused(/local count too large @\+\d+/));
    await assert.rejects(admit(core({ bodies: [locals(0xffff_ffff >>> 0)] })), refused(/local count too large @\+\d+/));
  });

  it('lets in blocks nested a hundred thousand deep', async () => {
    assert.deepEqual(await admit(core({ bodies: [nested(100_000)] })), admitted);
  });

  it('lets in a branch with 65,000 targets, and refuses one with a million with its offset', async () => {
    assert.deepEqual(await admit(core({ bodies: [branches(65_000)] })), admitted);
    await assert.rejects(admit(core({ bodies: [branches(1_000_000)] })), refused(/invalid table count .* @\+\d+/));
  });

  it('refuses a function that is longer than V8 permits, with its offset', async () => {
    await assert.rejects(
      admit(core({ bodies: [Buffer.concat([bytes(0), Buffer.alloc(8 * mib, 1), bytes(0x0b)])] })),
      refused(/maximum function size .* @\+\d+/),
    );
  });

  it('lets in a table at the limit', async () => {
    assert.deepEqual(await admit(core({ before: section(4, bytes(1, 0x70, 0, ...leb(100_000))) })), admitted);
  });

  it('refuses counts that promise more than the file holds, at once', async () => {
    for (const id of [1, 2, 3, 4, 6, 7, 9, 10, 11]) {
      const lying = Buffer.concat([
        bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
        section(id, bytes(0xff, 0xff, 0xff, 0xff, 0x0f)),
      ]);
      await assert.rejects(admit(lying), refused(/not a valid WebAssembly module: .*@\+\d+/));
    }
  });

  it('keeps nobody waiting who uses the same thread, however large the code is', async () => {
    const drops = Buffer.alloc(1_000_000, Buffer.from([0x41, 0, 0x1a, 0x01]));
    const code = core({ bodies: many(4, Buffer.concat([bytes(0), drops, bytes(0x0b)])) });
    let turns = 0;
    let isDone = false;
    const others = new Promise<void>((resolve) => {
      const turn = (): void => {
        turns += 1;
        if (isDone) resolve();
        else systemClock.after(1, turn);
      };
      turn();
    });
    assert.deepEqual(await admit(code), admitted);
    isDone = true;
    await others;
    assert.ok(turns > 20, `others had ${turns} turns`);
  });
});
