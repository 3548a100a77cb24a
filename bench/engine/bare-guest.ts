/**
 * The lower bounds: the same guest with nothing around it. It is instantiated, stepped and compiled by hand; what the
 * engine's figures have beyond these is the engine.
 */
import { decodeModule } from '@mvm-ci/protocol';
import { emptyResponse } from '../bench-engine.ts';
import type { BenchModule } from '../guest/modules.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly mvm_alloc: (length: number) => number;
  readonly mvm_step: (place: number, length: number) => bigint;
}

const isExports = (exports: unknown): exports is Exports =>
  typeof exports === 'object' && exports !== null && 'memory' in exports && 'mvm_step' in exports;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);
/** Version, time, one event. */
const activation = (event: Buffer): Buffer => Buffer.concat([Buffer.from([1]), Buffer.alloc(8), u32(1), event]);

const start = (workflow: string, input: string): Buffer =>
  activation(Buffer.concat([Buffer.from([0]), text('j'), u32(1), text(workflow), text(input), Buffer.alloc(32)]));

const answer: Buffer = activation(
  Buffer.concat([
    Buffer.from([1]),
    u32(1),
    u32(emptyResponse.status),
    text(emptyResponse.statusText),
    text(emptyResponse.url),
    Buffer.from([0]),
    u32(0),
    u32(0),
  ]),
);

/** Microseconds of one step that is told an answer and asks for the next request, with both copied. */
export const bareStepUs = (module: BenchModule, steps: number): number => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(codeOf(module)), {});
  if (!isExports(exports)) throw new Error('the bench module is no core module');
  const take = (told: Buffer): Uint8Array => {
    const place = exports.mvm_alloc(told.length);
    new Uint8Array(exports.memory.buffer).set(told, place);
    const packed = exports.mvm_step(place, told.length);
    const [at, length] = [Number(packed >> 32n), Number(packed & 0xffff_ffffn)];
    return new Uint8Array(exports.memory.buffer.slice(at, at + length));
  };
  take(start('sequence', String(2 * steps + 1)));
  for (let step = 0; step < steps; step += 1) take(answer);
  const startMs = performance.now();
  for (let step = 0; step < steps; step += 1) take(answer);
  return ((performance.now() - startMs) * 1_000) / steps;
};

/** Milliseconds in which V8 compiles the module, and makes an instance of it. */
export const bareCompileMs = async (module: BenchModule): Promise<number> => {
  const code = codeOf(module);
  const startMs = performance.now();
  const compiled = await WebAssembly.compile(code);
  const { exports } = new WebAssembly.Instance(compiled, {});
  const tookMs = performance.now() - startMs;
  if (!isExports(exports)) throw new Error('the bench module is no core module');
  return tookMs;
};

const codeOf = ({ file }: BenchModule): Uint8Array<ArrayBuffer> => new Uint8Array(decodeModule(file).code);
