import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WasmKind } from '../../src/module/guest-shape.ts';
import { scanCore } from '../../src/module/core-scan.ts';

const leb = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]);
const vector = (items: readonly Uint8Array[]): Buffer => Buffer.concat([Buffer.from(leb(items.length)), ...items]);
const sized = (content: Uint8Array): Buffer => Buffer.concat([Buffer.from(leb(content.length)), content]);
const section = (id: number, content: Uint8Array): Buffer => Buffer.concat([Buffer.from([id]), sized(content)]);
const name = (text: string): Buffer => sized(Buffer.from(text));
const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);

interface Parts {
  readonly types?: readonly Uint8Array[];
  readonly imports?: readonly Uint8Array[];
  readonly tables?: readonly Uint8Array[];
  readonly globals?: readonly Uint8Array[];
  readonly exports?: readonly Uint8Array[];
  readonly memory?: string;
  /** Instructions of the function `_start`, whose type is the first one. */
  readonly code?: readonly number[];
}

const nothing = bytes(0x60, 0, 0);

/** A module of the kind `wasi` around what is to be scanned; V8 validates it first. */
const wasm = (parts: Parts): Uint8Array => {
  const {
    types = [nothing],
    imports = [],
    tables = [],
    globals = [],
    exports = [],
    memory = 'memory',
    code = [],
  } = parts;
  const own = [
    Buffer.concat([name(memory), bytes(2, 0)]),
    Buffer.concat([name('_start'), bytes(0, ...leb(imports.length))]),
  ];
  const file = Buffer.concat([
    bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
    section(1, vector(types)),
    section(2, vector(imports)),
    section(3, vector([bytes(0)])),
    section(4, vector(tables)),
    section(5, bytes(1, 0, 1)),
    section(6, vector(globals)),
    section(7, vector([...own, ...exports])),
    section(10, vector([sized(bytes(0, ...code, 0x0b))])),
  ]);
  assert.ok(WebAssembly.validate(file), 'V8 accepts it');
  return file;
};

const scan = (parts: Parts, kind: WasmKind = 'wasi'): unknown => scanCore(wasm(parts), kind);
const refused = (construct: string): object => ({
  code: 'MODULE_INVALID',
  message: new RegExp(`may not have ${construct}.* \\(at offset \\d+\\)`),
});
const drop = 0x1a;

describe('the scan of a module', () => {
  it('refuses types of references to something in particular, wherever they stand', () => {
    // Read as one byte, the type (ref null 32) is followed by a local.get, which hides the endless loop that comes next.
    const types = Array.from({ length: 33 }, (_, count) => bytes(0x60, 0, count, ...Buffer.alloc(count, 0x7f)));
    const hidden = [0x02, 0x63, 0x20, 0x03, 0x40, 0x0c, 0, 0x0b, 0x00, 0x0b, drop];
    assert.throws(() => scan({ types, code: hidden }), refused('typed references'));
    const reference = [0xd0, 0x70];
    const select = [...reference, ...reference, 0x41, 0, 0x1c, 1, 0x63, 0x70, drop];
    assert.throws(() => scan({ code: select }), refused('typed references'));
    assert.throws(() => scan({ globals: [bytes(0x63, 0x70, 1, ...reference, 0x0b)] }), refused('typed references'));
    assert.throws(() => scan({ tables: [bytes(0x63, 0x70, 0, 1)] }), refused('typed references'));
  });

  it('names what else it refuses', () => {
    const caught = [0x02, 0x40, 0x1f, 0x40, 1, 2, 0, 0x0b, 0x0b];
    assert.throws(() => scan({ code: caught }), refused('exceptions'));
    assert.throws(() => scan({ code: [0xd0, 0, 0x14, 0] }), refused('typed references'));
    assert.throws(() => scan({ code: [0xd0, 0x6d, 0xd0, 0x6d, 0xd3, drop] }), refused('garbage-collected objects'));
  });

  it('knows a name from one that only looks like it', () => {
    const named = { code: 'MODULE_INVALID', message: /must export "memory"/ };
    assert.throws(() => scan({ memory: '\uFEFFmemory' }), named);
  });

  it('refuses names of the engine in every kind of module', () => {
    const own = Buffer.concat([name('mvm:start'), bytes(0, 0)]);
    for (const kind of ['core', 'wasi', 'flawless'] as const)
      assert.throws(() => scan({ exports: [own] }, kind), refused('an export "mvm:start": such names are the engine'));
  });

  it('refuses more tables than a guest may have', () => {
    const table = bytes(0x70, 0, 1);
    scan({ tables: Array.from({ length: 16 }, () => table) });
    assert.throws(() => scan({ tables: Array.from({ length: 17 }, () => table) }), {
      code: 'MODULE_INVALID',
      message: /16 tables, this one has 17 \(at offset \d+\)/,
    });
  });

  it('shows a name that is as long as a module in part', () => {
    const imported = Buffer.concat([name('m'.repeat(100_000)), name('n'.repeat(100_000)), bytes(0, 0)]);
    assert.throws(
      () => scan({ imports: [imported] }),
      ({ code, message, details }: { code: string; message: string; details: unknown }) =>
        code === 'MODULE_UNKNOWN_IMPORT' && message.length < 1_000 && JSON.stringify(details).length < 1_000,
    );
  });

  it('takes no longer for many names than for their bytes', () => {
    // Written out for each, the type alone would be 250 MB; compared with each other, the names take minutes.
    const types = [nothing, bytes(0x60, ...leb(1_000), ...Buffer.alloc(1_000, 0x7f), 0)];
    const imports = Array.from({ length: 50_000 }, () => bytes(0, 0, 0, 1));
    assert.throws(() => scan({ types, imports }), { code: 'MODULE_UNKNOWN_IMPORT' });
    const exports = Array.from({ length: 20_000 }, (_, index) =>
      Buffer.concat([name(`#flawless#workflow#run#${index}`), bytes(0, 0)]),
    );
    assert.throws(() => scan({ exports }, 'flawless'), { code: 'MODULE_INVALID', message: /wasabi::alloc/ });
  });
});
