/** The worst that a `core` guest can do. */
import { coreModule, encodeWireIntents, wasmFromText } from '@mvm-ci/testkit';
import type { ModuleFile } from '@mvm-ci/protocol';
import { describePoison } from '../fixtures/poison.ts';

interface CoreText {
  /** Instructions of `mvm_step`, which leave an i64. @default no intents, which breaks the protocol */
  readonly step?: string;
  readonly alloc?: string;
  readonly more?: string;
  readonly pages?: number;
}

const core = async ({
  step = '(i64.const 0)',
  alloc = '(i32.const 1024)',
  more = '',
  pages = 1,
}: CoreText): Promise<ModuleFile> =>
  coreModule(
    await wasmFromText(`(module (memory (export "memory") ${pages}) ${more}
      (func (export "mvm_alloc") (param i32) (result i32) ${alloc})
      (func (export "mvm_step") (param i32 i32) (result i64) (local $i i32) (local $j i32) ${step}))`),
  );

const trap = (step: string, more = ''): Promise<ModuleFile> => core({ step: `${step} (i64.const 0)`, more });
const table = '(table 2 funcref) (elem (i32.const 0) $nothing) (type $one (func (param i32))) (func $nothing)';

const bytesText = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');

/** `length` bytes at 2048, which begin with `bytes`, are the intents. */
const intents = (bytes: Uint8Array, length: number = bytes.length): Promise<ModuleFile> =>
  core({
    step: `(i64.const ${(2048n << 32n) | BigInt(length)})`,
    pages: 1 + Math.ceil(length / 65_536),
    more: `(data (i32.const 2048) "${bytesText(bytes)}")`,
  });

const completed = encodeWireIntents([{ type: 'complete', result: '"12345678"' }]);
const deepJson = '['.repeat(100_000) + ']'.repeat(100_000);
const nested: unknown = JSON.parse(deepJson);
const deep = encodeWireIntents([{ type: 'complete', result: deepJson }]);
/** The same with 4 bytes at `at` replaced. */
const lying = (at: number, value: number): Uint8Array => {
  const bytes = Buffer.from(completed);
  bytes.writeUInt32LE(value, at);
  return bytes;
};

// A million records `log info ""` of 6 bytes behind a header of 5.
const millionLines = `
  (i32.store8 (i32.const 4096) (i32.const 1)) (i32.store (i32.const 4097) (i32.const 1000000))
  (local.set $i (i32.const 4101))
  (loop $next
    (i32.store8 (local.get $i) (i32.const 3)) (i32.store8 offset=1 (local.get $i) (i32.const 1))
    (local.set $i (i32.add (local.get $i) (i32.const 6)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 6004101))))
  (i64.or (i64.shl (i64.const 4096) (i64.const 32)) (i64.const 6000005))`;

const untilGrowthFails = '(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))';
const tooLong = ['STEP_TIMEOUT', 'FUEL_EXHAUSTED'];

describePoison('a poisonous core guest', {
  'unreachable code': { module: trap('unreachable'), code: 'GUEST_TRAPPED', message: /unreachable/ },
  'a division by zero': {
    module: trap('(drop (i32.div_u (i32.const 1) (local.get $i)))'),
    code: 'GUEST_TRAPPED',
    message: /divide by zero/,
  },
  'a remainder by zero': {
    module: trap('(drop (i64.rem_s (i64.const 1) (i64.extend_i32_u (local.get $i))))'),
    code: 'GUEST_TRAPPED',
    message: /remainder by zero/,
  },
  'a quotient that is no number of its size': {
    module: trap('(drop (i32.div_s (i32.const 0x80000000) (i32.sub (local.get $i) (i32.const 1))))'),
    code: 'GUEST_TRAPPED',
    message: /divide result unrepresentable/,
  },
  'a NaN made an integer': {
    module: trap('(drop (i32.trunc_f64_s (f64.const nan)))'),
    code: 'GUEST_TRAPPED',
    message: /float unrepresentable/,
  },
  'a load outside of its memory': {
    module: trap('(drop (i32.load (i32.const -1)))'),
    code: 'GUEST_TRAPPED',
    message: /memory access out of bounds/,
  },
  'a store across the end of its memory': {
    module: trap('(i64.store (i32.const 65532) (i64.const 1))'),
    code: 'GUEST_TRAPPED',
    message: /memory access out of bounds/,
  },
  'a fill outside of its memory': {
    module: trap('(memory.fill (i32.const 65535) (i32.const 1) (i32.const 2))'),
    code: 'GUEST_TRAPPED',
    message: /memory access out of bounds/,
  },
  'an indirect call of another type': {
    module: trap('(call_indirect (type $one) (i32.const 1) (i32.const 0))', table),
    code: 'GUEST_TRAPPED',
    message: /signature mismatch/,
  },
  'an indirect call of nothing': {
    module: trap('(call_indirect (type $one) (i32.const 1) (i32.const 1))', table),
    code: 'GUEST_TRAPPED',
    message: /signature mismatch/,
  },
  'an indirect call outside of its table': {
    module: trap('(call_indirect (type $one) (i32.const 1) (i32.const 2))', table),
    code: 'GUEST_TRAPPED',
    message: /table index is out of bounds/,
  },
  'a recursion without an end': {
    module: trap('(call $dive)', '(func $dive (call $dive))'),
    code: 'STACK_OVERFLOW',
  },
  'a recursion with large frames': {
    module: trap(
      '(drop (call $dive (i64.const 1)))',
      `(func $dive (param i64) (result i64) (local ${'i64 '.repeat(1_000)})
        (i64.add (call $dive (i64.add (local.get 0) (i64.const 1))) (local.get 0)))`,
    ),
    code: 'STACK_OVERFLOW',
  },
  'a recursion in mvm_alloc': {
    module: core({ alloc: '(call $dive)', more: '(func $dive (result i32) (i32.add (call $dive) (i32.const 1)))' }),
    code: 'STACK_OVERFLOW',
  },
  'an endless loop': { module: trap('(loop $on (br $on))'), code: tooLong },
  'an endless loop in mvm_alloc': { module: core({ alloc: '(loop $on (br $on)) (i32.const 0)' }), code: tooLong },
  'endless tail calls through a table': {
    module: trap(
      '(call $ping)',
      `(table 1 funcref) (elem (i32.const 0) $ping) (type $none (func))
      (func $ping (loop $on (call_indirect (type $none) (i32.const 0)) (br $on)))`,
    ),
    code: ['STACK_OVERFLOW', ...tooLong],
  },
  'a start function that never returns': {
    module: core({ more: '(func $on (loop $on (br $on))) (start $on)' }),
    code: tooLong,
  },
  'a start function that traps': {
    module: core({ more: '(func $no unreachable) (start $no)' }),
    code: 'MODULE_LOAD_FAILED',
  },
  'a start function that recurses without an end': {
    module: core({ more: '(func $dive (call $dive)) (start $dive)' }),
    code: ['MODULE_LOAD_FAILED', 'STACK_OVERFLOW'],
  },
  'memory grown to the limit, and then a trap': {
    module: trap(`${untilGrowthFails} unreachable`),
    code: 'GUEST_TRAPPED',
  },
  'memory grown and all of it written': {
    module: trap(`${untilGrowthFails}
      (memory.fill (i32.const 0) (i32.const 255) (i32.shl (memory.size) (i32.const 16))) unreachable`),
    code: 'GUEST_TRAPPED',
  },
  'more growth than there is memory in the machine': {
    module: trap('(if (i32.ne (memory.grow (i32.const 65000)) (i32.const -1)) (then (loop $on (br $on)))) unreachable'),
    code: 'GUEST_TRAPPED',
    message: /unreachable/,
  },
  'a million log lines': {
    module: core({ step: millionLines, pages: 100 }),
    code: 'LIMIT_EXCEEDED',
    message: /10000 intents.*1000000|1000000/,
  },
  'a result of 100 MiB that is not there': {
    module: core({ step: `(i64.const ${(2048n << 32n) | 104_857_600n})` }),
    code: 'GUEST_PROTOCOL',
    message: /mvm_step named 104857600 bytes at 2048/,
  },
  'all of its memory as intents': {
    module: core({ step: `(i64.const ${1_000n * 65_536n})`, pages: 1_000 }),
    code: 'LIMIT_EXCEEDED',
  },
  'intents at the end of the address space': {
    module: core({ step: '(i64.const -1)' }),
    code: 'GUEST_PROTOCOL',
    message: /named 4294967295 bytes at 4294967295/,
  },
  'intents of another version': {
    module: core({ step: '(i64.const 5)' }),
    code: 'GUEST_PROTOCOL',
    message: /version 1/,
  },
  'intents without a byte': { module: core({}), code: 'GUEST_PROTOCOL' },
  'a count of intents that are not there': { module: intents(lying(1, 9_999)), code: 'GUEST_PROTOCOL' },
  'a count of four thousand million intents': { module: intents(lying(1, 0xffff_ffff)), code: 'LIMIT_EXCEEDED' },
  'a text that is longer than the rest': { module: intents(lying(6, 0xffff_ffff)), code: 'GUEST_PROTOCOL' },
  'bytes behind the last intent': { module: intents(completed, completed.length + 1), code: 'GUEST_PROTOCOL' },
  'a text that is not UTF-8': {
    module: intents(lying(11, 0xffff_ffff)),
    result: '\u{fffd}\u{fffd}\u{fffd}\u{fffd}5678',
  },
  'a result that is not JSON': {
    module: intents(lying(10, 0x2c2c_2c2c)),
    code: 'GUEST_PROTOCOL',
    message: /a result in JSON/,
  },
  'a result that is nested a hundred thousand deep': { module: intents(deep), result: nested },
  'a place for its activation outside of its memory': {
    module: core({ alloc: '(i32.const -1)' }),
    code: 'GUEST_PROTOCOL',
    message: /mvm_alloc named \d+ bytes at 4294967295/,
  },
  "a place for its activation over its own code's data": {
    module: core({ alloc: '(i32.const 65535)' }),
    code: 'GUEST_PROTOCOL',
  },
  'a trap in mvm_alloc': { module: core({ alloc: 'unreachable' }), code: 'GUEST_TRAPPED' },
});
