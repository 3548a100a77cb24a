/** The worst that a `wasi` program can do. */
import { encodeWireIntents, wasiModule, wasiProgram, type WasiProgramParts } from '@mvm-ci/testkit';
import type { ModuleFile } from '@mvm-ci/protocol';
import { describePoison } from '../fixtures/poison.ts';

const wasi = async (parts: WasiProgramParts): Promise<ModuleFile> => wasiModule(await wasiProgram(parts));
const main = (text: string, more: Omit<WasiProgramParts, 'main'> = {}): Promise<ModuleFile> =>
  wasi({ main: text, ...more });

const tooLong = ['STEP_TIMEOUT', 'FUEL_EXHAUSTED'];
const times = (count: number, body: string): string => `
  (loop $next ${body}
    (local.set $a (i32.add (local.get $a) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $a) (i32.const ${count}))))`;
/** Ends with what the host answered as its exit status. */
const answered = (call: string): string => `(call $proc_exit ${call})`;
const grown = '(drop (memory.grow (i32.const 900)))';
const pathOpen =
  '(import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))';
const opened = (path: string): Promise<ModuleFile> =>
  wasi({
    imports: pathOpen,
    data: { path },
    main: answered(`(call $path_open (i32.const 3) (i32.const 1) (global.get $path) (global.get $path_len)
      (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 1024))`),
  });
const status = (code: number): { code: string; message: RegExp } => ({
  code: 'PROGRAM_FAILED',
  message: new RegExp(`status ${code}$`),
});
const errno = { badf: 8, fault: 21, inval: 28, noent: 44, notcapable: 76 } as const;

describePoison('a poisonous wasi program', {
  'unreachable code': { module: main('unreachable'), code: 'GUEST_TRAPPED', message: /unreachable/ },
  'a trap after a sleep': {
    module: main('(call $sleep_ms (i64.const 1)) (drop (i32.load (i32.const -1)))'),
    code: 'GUEST_TRAPPED',
    message: /out of bounds/,
  },
  'a recursion without an end': {
    module: main('(call $dive)', { functions: '(func $dive (call $dive))' }),
    code: 'STACK_OVERFLOW',
  },
  'a recursion without an end after a sleep': {
    module: main('(call $sleep_ms (i64.const 1)) (call $dive)', { functions: '(func $dive (call $dive))' }),
    code: 'STACK_OVERFLOW',
  },
  'a recursion that calls the host at every depth': {
    module: main('(call $dive)', {
      functions: `(func $dive (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 1024))) (call $dive))`,
    }),
    code: 'STACK_OVERFLOW',
  },
  'a recursion that sleeps at every depth': {
    module: main('(call $dive)', {
      functions: `(func $dive (drop (call $pending)) (call $err (i32.const 1024) (i32.const 1)) (call $dive))`,
    }),
    code: ['STACK_OVERFLOW', 'LIMIT_EXCEEDED'],
  },
  'an endless loop': { module: main('(loop $on (br $on))'), code: tooLong },
  'an endless loop after a sleep': {
    module: main('(call $sleep_ms (i64.const 1)) (loop $on (br $on))'),
    code: tooLong,
  },
  'a clock that is waited for without a sleep': {
    module: main('(loop $on (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 1024))) (br $on))'),
    code: tooLong,
  },
  'a start function that never returns': {
    module: main('', { functions: '(func $on (loop $on (br $on))) (start $on)' }),
    code: tooLong,
  },
  'a start function that waits': {
    module: main('', { functions: '(func $nap (call $sleep_ms (i64.const 1))) (start $nap)' }),
    code: ['MODULE_LOAD_FAILED', 'GUEST_TRAPPED', 'GUEST_PROTOCOL'],
  },
  'a start function that writes': {
    module: main('', { functions: '(func $say (call $err (i32.const 0) (i32.const 1))) (start $say)' }),
    result: null,
  },
  'a start function that exits': {
    module: main('', { functions: '(func $end (call $proc_exit (i32.const 0))) (start $end)' }),
    result: null,
  },
  'memory grown to the limit and written': {
    module: main(`(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (memory.fill (i32.const 0) (i32.const 255) (i32.shl (memory.size) (i32.const 16))) unreachable`),
    code: 'GUEST_TRAPPED',
  },
  'a million log lines': {
    module: main(times(1_000_000, '(call $err (global.get $line) (i32.const 2))'), { data: { line: 'x\n' } }),
    code: 'LIMIT_EXCEEDED',
    message: /10000 intents/,
  },
  'a million log lines in one write': {
    module: main(`${grown} (memory.fill (i32.const 65536) (i32.const 10) (i32.const 50000000))
      (call $err (i32.const 65536) (i32.const 50000000))`),
    code: 'LIMIT_EXCEEDED',
  },
  'a log line of 50 MB': {
    module: main(`${grown} (memory.fill (i32.const 65536) (i32.const 97) (i32.const 50000000))
      (call $err (i32.const 65536) (i32.const 50000000))`),
    code: 'LIMIT_EXCEEDED',
  },
  'a result of 100 MiB': {
    module: main(times(1_600, '(call $out (i32.const 0) (i32.const 65536))')),
    code: 'LIMIT_EXCEEDED',
    message: /1048576 bytes/,
  },
  'a result written byte by byte': {
    module: main(times(2_000_000, '(call $out (i32.const 1024) (i32.const 1))')),
    code: ['LIMIT_EXCEEDED', ...tooLong],
  },
  'an exit status that is no small number': {
    module: main('(call $proc_exit (i32.const -1))'),
    code: 'PROGRAM_FAILED',
  },
  'an exit in the middle of a write': {
    module: main(`(call $out (global.get $text) (i32.const 3)) (call $proc_exit (i32.const 255))`, {
      data: { text: '[1,' },
    }),
    ...status(255),
  },
  'a write to every descriptor': {
    module: main(`(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 0))
      ${times(20_000, '(drop (call $fd_write (local.get $a) (i32.const 0) (i32.const 1) (i32.const 8)))')}`),
    result: null,
  },
  'a write to a descriptor that is none': {
    module: main(answered('(call $fd_write (i32.const -1) (i32.const 0) (i32.const 1) (i32.const 8))')),
    ...status(errno.badf),
  },
  'a write to standard input': {
    module: main(answered('(call $fd_write (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))')),
    code: 'PROGRAM_FAILED',
  },
  'a write from outside of its memory': {
    module: main(`(i32.store (i32.const 0) (i32.const -16)) (i32.store (i32.const 4) (i32.const 1024))
      ${answered('(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))')}`),
    ...status(errno.fault),
  },
  'buffers outside of its memory': {
    module: main(answered('(call $fd_write (i32.const 1) (i32.const -1) (i32.const 1) (i32.const 8))')),
    ...status(errno.fault),
  },
  'four thousand million buffers': {
    module: main(answered('(call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 8))')),
    ...status(errno.inval),
  },
  'a count of bytes for a place outside of its memory': {
    module: main(answered('(call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const -2))')),
    ...status(errno.fault),
  },
  'a read into all of its own memory': {
    module: main(`(i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const -1))
      ${answered('(call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))')}`),
    code: 'PROGRAM_FAILED',
  },
  'four thousand million random bytes': {
    module: main(answered('(call $random_get (i32.const 0) (i32.const -1))')),
    ...status(errno.fault),
  },
  'random bytes without an end': {
    module: main(`${grown} (loop $on (drop (call $random_get (i32.const 65536) (i32.const 58000000))) (br $on))`),
    code: tooLong,
    message: /^a step of the workflow did not end within 2000 ms$/,
  },
  'nothing written without an end, a thousand times at once': {
    module: main(
      '(loop $on (drop (call $fd_write (i32.const 1) (i32.const 16384) (i32.const 1024) (i32.const 8))) (br $on))',
    ),
    code: tooLong,
  },
  'a poll that has no place for its events': {
    module: main(`(i64.store (i32.const 88) (i64.const 1000000)) (i32.store (i32.const 80) (i32.const 1))
      ${answered('(call $poll_oneoff (i32.const 64) (i32.const -8) (i32.const 1) (i32.const 60))')}`),
    ...status(errno.fault),
  },
  'a poll of garbage': {
    module: main(`(memory.fill (i32.const 1024) (i32.const 255) (i32.const 4096))
      ${answered('(call $poll_oneoff (i32.const 1024) (i32.const 1024) (i32.const 80) (i32.const 1024))')}`),
    result: null,
  },
  'a poll of nothing': {
    module: main(answered('(call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 0) (i32.const 60))')),
    ...status(errno.inval),
  },
  'a poll of four thousand million subscriptions': {
    module: main(answered('(call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const -1) (i32.const 60))')),
    ...status(errno.inval),
  },
  'a poll outside of its memory': {
    module: main(answered('(call $poll_oneoff (i32.const -8) (i32.const 128) (i32.const 1) (i32.const 60))')),
    ...status(errno.fault),
  },
  'a path out of its tree': { module: opened('../../etc/passwd'), code: 'PROGRAM_FAILED' },
  'an absolute path': { module: opened('/etc/passwd'), code: 'PROGRAM_FAILED' },
  'a path into the processes': { module: opened('proc/self/environ'), ...status(errno.noent) },
  'a path with a zero byte': { module: opened('a\0b'), code: 'PROGRAM_FAILED' },
  'a path of ten thousand characters': { module: opened('a/'.repeat(5_000)), code: 'PROGRAM_FAILED' },
  'files until there is no more room': {
    module: wasi({
      imports: pathOpen,
      data: { path: 'a' },
      main: times(
        10_000,
        `(i32.store (global.get $path) (local.get $a))
        (drop (call $path_open (i32.const 3) (i32.const 0) (global.get $path) (i32.const 4)
          (i32.const 9) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 1024)))`,
      ),
    }),
    result: null,
  },
  'intents outside of its memory': {
    module: main('(drop (call $submit (i32.const -1) (i32.const 100)))'),
    code: 'GUEST_PROTOCOL',
  },
  'intents of four thousand million bytes': {
    module: main('(drop (call $submit (i32.const 0) (i32.const -1)))'),
    code: 'GUEST_PROTOCOL',
  },
  'an answer into a place outside of its memory': {
    module: main(
      '(drop (call $submit (global.get $nap) (global.get $nap_len))) (drop (call $wait (i32.const 0))) (drop (call $read_answer (i32.const -1) (i32.const 100)))',
      {
        data: { nap: encodeWireIntents([{ type: 'sleep', call: 1, ms: 1 }]) },
      },
    ),
    code: 'GUEST_PROTOCOL',
  },
  'a wait for a call that was never made': {
    module: main('(drop (call $wait (i32.const 7)))'),
    code: 'GUEST_PROTOCOL',
  },
  'sleeps without an end': {
    module: main('(loop $on (drop (call $submit (global.get $nap) (global.get $nap_len))) (br $on))', {
      data: { nap: encodeWireIntents([{ type: 'sleep', call: 1, ms: 1 }]) },
    }),
    code: 'LIMIT_EXCEEDED',
  },
  'ten years of sleep, abandoned': {
    module: main(
      `(call $out (i32.const 1024) (i32.const 0)) (drop (call $submit (global.get $nap) (global.get $nap_len)))`,
      {
        data: { nap: encodeWireIntents([{ type: 'sleep', call: 1, ms: 3e11 }]) },
      },
    ),
    result: null,
  },
  'a result that is nested a hundred thousand deep': {
    module: main(`(memory.fill (i32.const 16384) (i32.const 91) (i32.const 100000))
      (memory.fill (i32.const 116384) (i32.const 93) (i32.const 100000))
      (call $out (i32.const 16384) (i32.const 200000))`),
    result: JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown,
  },
});
