/** WASI programs written in WebAssembly text, without a compiler for a language. */
import type { ModuleFile } from '@mvm-ci/protocol';

/** What a program is made of. */
export interface WasiProgramParts {
  /**
   * Instructions of `_start`, in text. They may call `$out` and `$err` (text to stdout and stderr), `$sleep_ms`, `$submit`,
   * `$wait`, `$read_answer`, and the WASI functions that the prelude imports; locals `$a`, `$b`, `$c` are i32.
   */
  readonly main: string;
  /** Bytes or text by name: `$name` is its place and `$name_len` its length, both i32 globals. */
  readonly data?: Readonly<Record<string, Uint8Array | string>>;
  /** More functions, in text. */
  readonly functions?: string;
  /** More imports, in text. */
  readonly imports?: string;
}

const dataFrom = 8_192;

// Memory: 0–63 an iovec and results, 64–127 a subscription, 128–191 its event, 1024–8191 free, data from 8192 on.
const prelude = `
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "mvm" "submit" (func $submit (param i32 i32) (result i32)))
  (import "mvm" "wait" (func $wait (param i32) (result i32)))
  (import "mvm" "read" (func $read_answer (param i32 i32) (result i32)))
  (import "mvm" "version" (func $version (param i32 i32) (result i32)))
  (import "mvm" "pending" (func $pending (result i32)))`;

const helpers = `
  (func $write (param $fd i32) (param $place i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $place))
    (i32.store (i32.const 4) (local.get $length))
    (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable)))
  (func $out (param i32 i32) (call $write (i32.const 1) (local.get 0) (local.get 1)))
  (func $err (param i32 i32) (call $write (i32.const 2) (local.get 0) (local.get 1)))
  (func $sleep_ms (param $ms i64)
    (i64.store (i32.const 64) (i64.const 7))
    (i32.store8 (i32.const 72) (i32.const 0))
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.mul (local.get $ms) (i64.const 1000000)))
    (i32.store16 (i32.const 104) (i32.const 0))
    (if (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 60)) (then unreachable))
    (if (i64.ne (i64.load (i32.const 128)) (i64.const 7)) (then unreachable)))`;

/** The binary of the program. */
export const wasiProgram = async (parts: WasiProgramParts): Promise<Uint8Array> => wasmFromText(textOf(parts));

/** The binary of a module in WebAssembly text. */
export const wasmFromText = async (text: string): Promise<Uint8Array> => {
  // Large, and of no use to most who use this package.
  const { default: wabt } = await import('wabt');
  const tools = await wabt();
  const module = tools.parseWat('program.wat', text);
  try {
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
};

/** A module file around a binary. */
export const wasiModule = (code: Uint8Array): ModuleFile => ({
  kind: 'wasi',
  runtime: '',
  workflows: ['main'],
  code,
  sourceMap: new Uint8Array(),
});

const textOf = ({
  main,
  data = {},
  functions = '',
  imports = '',
}: WasiProgramParts): string => `(module${prelude}${imports}
  (memory (export "memory") 4)
  ${dataText(data)}${helpers}${functions}
  (func (export "_start") (local $a i32) (local $b i32) (local $c i32) ${main}))`;

const dataText = (data: Readonly<Record<string, Uint8Array | string>>): string => {
  let at = dataFrom;
  const parts = Object.entries(data).map(([name, value]) => {
    const bytes = Buffer.from(value);
    const place = at;
    at += bytes.length;
    return `(global $${name} i32 (i32.const ${place})) (global $${name}_len i32 (i32.const ${bytes.length}))
      (data (i32.const ${place}) "${escaped(bytes)}")`;
  });
  return parts.join('\n');
};

const escaped = (bytes: Uint8Array): string => bytes.reduce((text, byte) => `${text}\\${hex(byte)}`, '');
const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
