/** The worst that a module of the `flawless` crate can do. */
import { flawlessModule, wasiModule, wasmFromText } from '@mvm-ci/testkit';
import type { ModuleFile } from '@mvm-ci/protocol';
import { describePoison } from '../fixtures/poison.ts';

const nap = { Sleep: { secs: 0, nanos: 1_000_000 } };
const ending = (end: string, commands: readonly unknown[] = []): Promise<ModuleFile> =>
  flawlessModule({ commands, end });

interface RawParts {
  /** Instructions of the workflow. */
  readonly main: string;
  readonly init?: string;
  readonly alloc?: string;
  readonly more?: string;
  readonly pages?: number;
}

/** A module that does without the testkit's own manners. */
const raw = async ({
  main,
  init = '(i32.const 0)',
  alloc = '(i32.const 4096)',
  more = '',
  pages = 2,
}: RawParts): Promise<ModuleFile> => ({
  ...wasiModule(
    await wasmFromText(`(module (import "wasabi" "submit" (func $submit (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") ${pages}) ${more}
    (func (export "wasabi::alloc") (param i32) (result i32) ${alloc})
    (func (export "#flawless#workflow#init#main") (result i32) ${init})
    (func (export "#flawless#workflow#run#main") ${main}))`),
  ),
  kind: 'flawless',
});

const command = (text: string, { more = '', ...parts }: Omit<RawParts, 'main'> = {}): Promise<ModuleFile> =>
  raw({
    ...parts,
    main: `(drop (call $submit (i32.const 0) (i32.const ${Buffer.byteLength(text)}) (i32.const 65536) (i32.const 65540)))`,
    more: `${more} (data (i32.const 0) "${[...Buffer.from(text)].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('')}")`,
  });

const tooLong = ['STEP_TIMEOUT', 'FUEL_EXHAUSTED'];
const protocol = { code: 'GUEST_PROTOCOL' };

describePoison('a poisonous flawless module', {
  'unreachable code': { module: ending('unreachable'), code: 'GUEST_TRAPPED', message: /unreachable/ },
  'a trap after a sleep': { module: ending('(drop (i32.load (i32.const -1)))', [nap]), code: 'GUEST_TRAPPED' },
  'a panic': {
    module: ending('unreachable', [{ Log: { Error: 'broken' } }]),
    code: 'WORKFLOW_FAILED',
    message: /broken/,
  },
  'a recursion without an end': {
    module: raw({ main: '(call $dive)', more: '(func $dive (call $dive))' }),
    code: 'STACK_OVERFLOW',
  },
  'a recursion without an end in wasabi::alloc': {
    module: command('"TimeNow"', { alloc: '(call $dive) (i32.const 0)', more: '(func $dive (call $dive))' }),
    code: ['STACK_OVERFLOW', 'MODULE_LOAD_FAILED'],
  },
  'an endless loop': { module: ending('(loop $on (br $on))'), code: tooLong },
  'an endless loop after a sleep': { module: ending('(loop $on (br $on))', [nap]), code: tooLong },
  'an endless loop in its init': {
    module: raw({ main: '', init: '(loop $on (br $on)) (i32.const 0)' }),
    code: tooLong,
  },
  'an endless loop in wasabi::alloc': {
    module: command('"TimeNow"', { alloc: '(loop $on (br $on)) (i32.const 0)' }),
    code: tooLong,
  },
  'a start function that never returns': {
    module: raw({ main: '', more: '(func $on (loop $on (br $on))) (start $on)' }),
    code: tooLong,
  },
  'a start function that asks the host': {
    module: raw({
      main: '',
      more: String.raw`(data (i32.const 0) "\22TimeNow\22")
        (func $ask (drop (call $submit (i32.const 0) (i32.const 9) (i32.const 1024) (i32.const 1028)))) (start $ask)`,
    }),
    result: null,
  },
  'a start function that asks the host, and then sleeps': {
    module: raw({
      main: '',
      more: String.raw`(data (i32.const 0) "\22TimeNow\22{\22Sleep\22:{\22secs\22:0,\22nanos\22:1}}")
        (func $ask (drop (call $submit (i32.const 0) (i32.const 9) (i32.const 1024) (i32.const 1028)))
          (drop (call $submit (i32.const 9) (i32.const 30) (i32.const 1024) (i32.const 1028)))) (start $ask)`,
    }),
    ...protocol,
    message: /waits where it can not/,
  },
  'commands of eight megabytes without an end': {
    module: raw({
      pages: 200,
      main: `(memory.fill (i32.const 65536) (i32.const 32) (i32.const 8000000))
        (i64.store (i32.const 65536) (i64.const 0x776f4e656d695422)) (i32.store8 (i32.const 65544) (i32.const 34))
        (loop $on (drop (call $submit (i32.const 65536) (i32.const 8000000) (i32.const 1024) (i32.const 1028))) (br $on))`,
    }),
    code: tooLong,
    message: /^a step of the workflow did not end within 2000 ms$/,
  },
  'memory grown to the limit and written': {
    module: ending(`(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (memory.fill (i32.const 0) (i32.const 255) (i32.shl (memory.size) (i32.const 16))) unreachable`),
    code: 'GUEST_TRAPPED',
  },
  'a place for its answer outside of its memory': {
    module: command('"TimeNow"', { alloc: '(i32.const -1)' }),
    ...protocol,
  },
  'a trap in wasabi::alloc': { module: command('"TimeNow"', { alloc: 'unreachable' }), code: 'GUEST_TRAPPED' },
  'a command outside of its memory': {
    module: raw({ main: '(drop (call $submit (i32.const -1) (i32.const -1) (i32.const 0) (i32.const 4)))' }),
    ...protocol,
  },
  "a place for its answer's place outside of its memory": {
    module: raw({
      main: '(drop (call $submit (i32.const 0) (i32.const 9) (i32.const -1) (i32.const -1)))',
      more: String.raw`(data (i32.const 0) "\22TimeNow\22")`,
    }),
    ...protocol,
  },
  'a command that is no JSON': { module: command('{'), ...protocol },
  'a command that is not UTF-8': {
    module: raw({
      main: '(drop (call $submit (i32.const 0) (i32.const 2) (i32.const 1024) (i32.const 1028)))',
      more: String.raw`(data (i32.const 0) "\ff\fe")`,
    }),
    ...protocol,
  },
  'a command that nobody knows': { module: command('{"FormatDisk":1}'), ...protocol },
  'a command named as what every object has': {
    module: command('{"__proto__":{"Sleep":{"secs":0,"nanos":1}}}'),
    ...protocol,
  },
  'a command nested a thousand deep': { module: command('['.repeat(1_000) + ']'.repeat(1_000)), ...protocol },
  'a sleep of more years than there are': {
    module: command('{"Sleep":{"secs":18446744073709551615,"nanos":0}}'),
    code: ['GUEST_PROTOCOL', 'LIMIT_EXCEEDED'],
  },
  'a million log lines': {
    module: raw({
      main: `(local $i i32) (loop $next
        (drop (call $submit (i32.const 0) (i32.const 23) (i32.const 1024) (i32.const 1028)))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))`,
      more: String.raw`(data (i32.const 0) "{\22Log\22:{\22Info\22:\22line\22}}")`,
    }),
    code: 'LIMIT_EXCEEDED',
  },
  'a response of 2 MiB': {
    module: command(JSON.stringify({ SendResponse: 'x'.repeat(2 ** 21) }), { pages: 40 }),
    code: 'LIMIT_EXCEEDED',
    message: /1048576 bytes/,
  },
});
