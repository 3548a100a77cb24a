/**
 * A script loaded into an instance of the runtime: evaluates it, and calls its three functions (step-machine.md,
 * "Encoding for `javascript`"). A machine at rest can be captured; {@link ScriptHandles} are valid in every instance that
 * holds its image.
 */
import { mvmError } from '@mvm-ci/protocol';
import { z } from 'zod';
import { FuelStop } from '../fuel/metering.ts';
import { GuestFault } from '../guest.ts';
import { trapFault } from '../trap-fault.ts';
import { hardening } from './hardening.ts';
import { codecFunctions } from './native-codec.ts';
import type { QuickJSInstance, Thrown } from './quickjs-instance.ts';
import type { Rejection } from './rejection-tracker.ts';

/** The name of the bundle in stack traces. */
export const scriptName = 'workflow.js';

/** Places of the values that the host keeps. */
export interface ScriptHandles {
  readonly runtime: number;
  readonly context: number;
  readonly seed: number;
  readonly describe: number;
  readonly workflows: number;
  readonly step: number;
  readonly flush: number;
  /** `mvm_bytes`, of a script that takes and gives bytes as they are; else 0. */
  readonly sent: number;
  /** `mvm_rejected`, of a script that wants to hear of rejections nothing handles; else 0. */
  readonly rejected: number;
}

/** What a step is told: `buffers` are the bytes that its text speaks of by their numbers. */
export interface StepInput {
  readonly text: string;
  readonly buffers: readonly Uint8Array[];
}

export interface ScriptLimits {
  readonly stackBytesMax: number;
  /** Longest text that a call may return, in bytes. */
  readonly textBytesMax: number;
}

const thrownSchema: z.ZodType<Thrown> = z.object({ name: z.string(), message: z.string(), stack: z.string() });
const pointerBytes = 4;
const valueBytes = 8;
const compileOnly = 32;
const missing = { name: '', message: '', stack: '' };

export class ScriptMachine {
  readonly instance: QuickJSInstance;
  readonly handles: ScriptHandles;
  readonly #limits: ScriptLimits;

  constructor(instance: QuickJSInstance, handles: ScriptHandles, limits: ScriptLimits) {
    this.instance = instance;
    this.handles = handles;
    this.#limits = limits;
    if (instance.tracker) instance.tracker.onRejection = (rejection) => this.#tellOf(rejection);
  }

  /**
   * Evaluates `script` in a fresh instance.
   *
   * @throws {GuestFault} `MODULE_SYNTAX_ERROR`, `MODULE_LOAD_FAILED`, `STEP_TIMEOUT`, `FUEL_EXHAUSTED` or `OUT_OF_MEMORY`
   */
  static load(instance: QuickJSInstance, script: string, limits: ScriptLimits): ScriptMachine {
    const { exports } = instance;
    const runtime = exports.newRuntime();
    exports.setMaxStackSize(runtime, limits.stackBytesMax);
    const context = exports.newContext(runtime, 0);
    const none = { runtime, context, seed: 0, describe: 0, workflows: 0, step: 0, flush: 0, sent: 0, rejected: 0 };
    const bare = new ScriptMachine(instance, none, limits);
    const kept = bare.#checked(bare.#evaluate({ script: hardening, name: 'hardening.js', flags: 0 }));
    const hardened = { ...none, seed: bare.#prop(kept, 'seed'), describe: bare.#prop(kept, 'describe') };
    const machine = new ScriptMachine(instance, hardened, limits);
    machine.#lendCodec(bare.#prop(kept, 'adopt'));
    machine.#loadScript(script);
    const global = exports.globalObject(context);
    const [workflows, step, flush] = ['mvm_workflows', 'mvm_step', 'mvm_flush'].map((name) =>
      machine.#requiredFunction(global, name),
    );
    const sent = instance.native && machine.#functionOf(global, 'mvm_bytes');
    const rejected = instance.tracker && machine.#functionOf(global, 'mvm_rejected');
    if (rejected !== undefined) instance.tracker?.follow(instance.bytes, runtime);
    const required = { workflows: workflows ?? 0, step: step ?? 0, flush: flush ?? 0 };
    const handles = { ...required, sent: sent ?? 0, rejected: rejected ?? 0 };
    return new ScriptMachine(instance, { ...hardened, ...handles }, limits);
  }

  /** The text that `mvm_workflows()` returns. */
  workflows(): string {
    return this.#guarded(() => this.#textOf(this.#call(this.handles.workflows)));
  }

  /** Seeds the runtime's own randomness. */
  seed(hex: string): void {
    this.#guarded(() => this.#call(this.handles.seed, [this.#newString(hex)]));
  }

  /** Whether bytes cross as they are, in both directions. */
  get takesBytes(): boolean {
    return this.handles.sent !== 0;
  }

  /** One step: tells the guest `input`, lets all its promise jobs run, and returns the intents' text. */
  step({ text, buffers }: StepInput): string {
    return this.#guarded(() => {
      const told = this.#call(this.handles.step, [
        this.#newString(text),
        ...buffers.map((one) => this.#newBuffer(one)),
      ]);
      this.instance.exports.freeValue(this.handles.context, told);
      this.#runJobs();
      return this.#textOf(this.#call(this.handles.flush));
    });
  }

  /** The bytes that the intents of the last step speak of by this number: the script has them no more. @throws {GuestFault} `GUEST_PROTOCOL` */
  sent(number: number): Uint8Array {
    return this.#guarded(() => this.#bytesOf(this.#call(this.handles.sent, [this.#newString(String(number))])));
  }

  /**
   * Asks the script at rest: the text that `mvm_query(text)` returns, undefined where it has no such function. No promise job runs.
   * The instance is of no use afterwards but to be closed.
   */
  query(text: string): string | undefined {
    return this.#guarded(() => {
      const asked = this.#functionOf(this.instance.exports.globalObject(this.handles.context), 'mvm_query');
      return asked === undefined ? undefined : this.#textOf(this.#call(asked, [this.#newString(text)]));
    });
  }

  #loadScript(script: string): void {
    this.#guarded(() => {
      const raw = this.#evaluate({ script, name: scriptName, flags: 0 });
      const value = this.#checked(raw, (thrown) => this.#loadFault(script, thrown));
      this.instance.exports.freeValue(this.handles.context, value);
      this.#runJobs();
    });
  }

  /** A script that can't even be compiled has a syntax error; what compiles and throws failed to load. */
  #loadFault(script: string, thrown: Thrown): GuestFault {
    let syntax: Thrown | undefined;
    if (thrown.name === 'SyntaxError') {
      const compiled = this.#evaluate({ script, name: scriptName, flags: compileOnly });
      syntax = this.#exceptionIn(compiled);
    }
    return syntax
      ? new GuestFault({ code: 'MODULE_SYNTAX_ERROR', message: syntax.message, stack: syntax.stack })
      : new GuestFault({
          code: 'MODULE_LOAD_FAILED',
          message: `${thrown.name}: ${thrown.message}`,
          stack: thrown.stack,
        });
  }

  /** Hands a rejection to the script: the promise and the reason, or the promise alone when something handles it after all. */
  #tellOf({ promise, reason, isHandled }: Rejection): void {
    const { instance } = this;
    const { rejected, context } = this.handles;
    const place = rejected === 0 ? 0 : instance.exports.malloc(2 * valueBytes);
    if (place === 0) return;
    instance.bytes.writeBigInt64LE(promise, place);
    instance.bytes.writeBigInt64LE(reason, place + valueBytes);
    const result = this.#callRaw(rejected, isHandled ? [place] : [place, place + valueBytes]);
    instance.exports.free(place);
    // What it throws nobody waits for: it has no stack or no memory left.
    const thrown = instance.exports.resolveException(context, result);
    if (thrown !== 0) instance.exports.freeValue(context, thrown);
    instance.exports.freeValue(context, result);
  }

  #requiredFunction(global: number, name: string): number {
    const value = this.#functionOf(global, name);
    if (value !== undefined) return value;
    throw new GuestFault({ code: 'MODULE_LOAD_FAILED', message: `the script doesn't define the function ${name}` });
  }

  #functionOf(global: number, name: string): number | undefined {
    const value = this.#prop(global, name);
    const { exports } = this.instance;
    return this.instance.readText(exports.typeOf(this.handles.context, value), 64) === 'function' ? value : undefined;
  }

  /** Gives the runtime the host's functions: what is called in return makes them the script's. */
  #lendCodec(adopt: number): void {
    const { native } = this.instance;
    if (!native) return;
    const functions = Object.entries(codecFunctions).map(([name, id]) => {
      const { place } = this.instance.writeText(name);
      const value = native.newFunction(this.handles.context, place, 1, 0, id);
      this.instance.exports.free(place);
      return value;
    });
    this.instance.exports.freeValue(this.handles.context, this.#call(adopt, functions));
  }

  /** Runs `body`; a trap and an exhausted memory become faults. */
  #guarded<T>(body: () => T): T {
    this.instance.beginStep();
    try {
      return body();
    } catch (error) {
      // What ends at a charge was still running, whatever else came before.
      if (error instanceof FuelStop) throw error;
      throw this.#limitFault() ?? (error instanceof GuestFault ? error : trapFault(error));
    }
  }

  #limitFault(): GuestFault | undefined {
    return this.instance.outOfMemory ? outOfMemory() : undefined;
  }

  /** Calls a handle with these values, which are freed; returns the result's place. */
  #call(handle: number, values: readonly number[] = []): number {
    const result = this.#callRaw(handle, values);
    for (const value of values) this.instance.exports.freeValue(this.handles.context, value);
    return this.#checked(result);
  }

  #callRaw(handle: number, values: readonly number[]): number {
    const { instance } = this;
    const { exports } = instance;
    const list = exports.malloc(pointerBytes * Math.max(values.length, 1));
    for (const [index, value] of values.entries()) instance.bytes.writeUInt32LE(value, list + pointerBytes * index);
    const result = exports.call(this.handles.context, handle, exports.getUndefined(), values.length, list);
    exports.free(list);
    return result;
  }

  #newString(text: string): number {
    const { place } = this.instance.writeText(text);
    const value = this.instance.exports.newString(this.handles.context, place);
    this.instance.exports.free(place);
    return value;
  }

  #newBuffer(bytes: Uint8Array): number {
    const { instance } = this;
    const { native } = instance;
    if (!native) throw mvmError('INTERNAL', 'this build of the runtime takes no bytes');
    return native.newBuffer(this.handles.context, instance.writeBytes(bytes), bytes.length);
  }

  #bytesOf(value: number): Uint8Array {
    const { instance, handles } = this;
    const { exports, native } = instance;
    const length = native?.bufferLength(handles.context, value) ?? 0;
    const place = native?.bufferPlace(handles.context, value) ?? 0;
    if (place === 0) throw new GuestFault({ code: 'GUEST_PROTOCOL', message: 'mvm_bytes must return an ArrayBuffer' });
    const bytes = new Uint8Array(instance.bytes.subarray(place, place + length));
    exports.freeValue(handles.context, value);
    return bytes;
  }

  #textOf(value: number): string {
    const { exports } = this.instance;
    const { context } = this.handles;
    if (this.instance.readText(exports.typeOf(context, value), 64) !== 'string')
      throw new GuestFault({ code: 'GUEST_PROTOCOL', message: 'mvm_flush and mvm_workflows must return JSON text' });
    const place = exports.getString(context, value);
    const text = this.instance.readText(place, this.#limits.textBytesMax);
    exports.freeCString(context, place);
    exports.freeValue(context, value);
    if (typeof text === 'string') return text;
    throw tooLong(this.#limits.textBytesMax, text);
  }

  #runJobs(): void {
    const { exports } = this.instance;
    const context = exports.malloc(pointerBytes);
    const result = exports.executePendingJobs(this.handles.runtime, -1, context);
    exports.free(context);
    exports.freeValue(this.handles.context, this.#checked(result));
  }

  #evaluate({ script, name, flags }: { script: string; name: string; flags: number }): number {
    const { instance } = this;
    const code = instance.writeText(script);
    const file = instance.writeText(name);
    const value = instance.exports.evaluate(this.handles.context, code.place, code.length, file.place, 0, flags);
    instance.exports.free(code.place);
    instance.exports.free(file.place);
    return value;
  }

  #prop(object: number, name: string): number {
    const key = this.#newString(name);
    const value = this.instance.exports.getProp(this.handles.context, object, key);
    this.instance.exports.freeValue(this.handles.context, key);
    return value;
  }

  /** The value itself, unless it is an exception. */
  #checked(value: number, fault: (thrown: Thrown) => GuestFault = thrownFault): number {
    const thrown = this.#exceptionIn(value);
    if (thrown) throw this.#limitFault() ?? fault(thrown);
    return value;
  }

  #exceptionIn(value: number): Thrown | undefined {
    const thrown = this.instance.exports.resolveException(this.handles.context, value);
    if (thrown === 0) return undefined;
    if (this.handles.describe === 0) return missing;
    return this.#describe(thrown);
  }

  #describe(thrown: number): Thrown {
    const { exports } = this.instance;
    const value = this.#callRaw(this.handles.describe, [thrown]);
    if (exports.resolveException(this.handles.context, value) !== 0) return missing;
    const text = this.instance.readText(exports.getString(this.handles.context, value), this.#limits.textBytesMax);
    return typeof text === 'string' ? thrownSchema.parse(JSON.parse(text)) : missing;
  }
}

/** The fault of a script that was refused memory. */
export const outOfMemory = (): GuestFault =>
  new GuestFault({ code: 'OUT_OF_MEMORY', message: 'the workflow needs more memory than a guest may have' });

const thrownFault = ({ name, message, stack }: Thrown): GuestFault =>
  name === 'InternalError' && message === 'out of memory'
    ? outOfMemory()
    : new GuestFault({ code: 'GUEST_PROTOCOL', message: `the guest's step threw ${name}: ${message}`, stack });

const tooLong = (limit: number, received: number): GuestFault =>
  new GuestFault({
    code: 'LIMIT_EXCEEDED',
    message: `one step may ask for ${limit} bytes of intents, this one asked for ${received}`,
    details: { limit, received },
  });
