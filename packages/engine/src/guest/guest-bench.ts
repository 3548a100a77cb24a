/**
 * The guests of one thread: carries out commands. It owns the loaded modules, their script images and the guests; the
 * thread's file (`guest-thread.ts`) owns the port, `stage.ts` says whose code runs.
 *
 *   1. Each step and each probe is answered exactly once: at once when the guest ended it at once, else by a promise.
 *   2. Steps of different guests may be in progress together, of one guest one at a time: its owner sees to that.
 *   3. A guest that is closed in the middle of a step is `lost`; whatever its step comes to is dropped.
 */
import type { Coroutine } from './blocking/coroutine.ts';
import { CoreGuest } from './core/core-guest.ts';
import { CorePool } from './core/core-pool.ts';
import { takeRecorded } from './core/recorded-wire.ts';
import { openFlawlessGuest } from './flawless/flawless-guest.ts';
import { FuelMeter, type Metering } from './fuel/metering.ts';
import { GuestFault, type Guest } from './guest.ts';
import { openWasiGuest } from './wasi/wasi-guest.ts';
import type { ScriptImage, ScriptRuntime } from './quickjs/script-runtime.ts';
import type { Stage } from './stage.ts';
import { takeSteps } from './take-steps.ts';
import type { Command, GuestCode, Reply } from './thread-message.ts';
import { unpackSteps } from './thread-packing.ts';

interface LoadedModule {
  readonly code: GuestCode;
  image?: ScriptImage;
  pool?: CorePool;
}

type Outcome = Reply['outcome'];

type ScriptCode = Extract<GuestCode, { readonly kind: 'javascript' }>;

const nobody = 0;

export interface GuestBenchOptions {
  readonly openRuntime: (wasm: WebAssembly.Module) => ScriptRuntime;
  /** The current build of the script runtime. */
  readonly quickjs: WebAssembly.Module;
  readonly stage: Stage;
  readonly metering: Metering;
}

export class GuestBench {
  readonly #runtime: ScriptRuntime;
  readonly #openRuntime: GuestBenchOptions['openRuntime'];
  readonly #metering: Metering;
  /** By name; opened when the first module needs them. */
  readonly #olderRuntimes = new Map<string, ScriptRuntime>();
  readonly #stage: Stage;
  readonly #modules = new Map<number, LoadedModule>();
  readonly #guests = new Map<number, Guest>();
  /** How to give up what is in progress, by guest. */
  readonly #inProgress = new Map<number, () => void>();

  constructor({ openRuntime, quickjs, stage, metering }: GuestBenchOptions) {
    this.#openRuntime = openRuntime;
    this.#runtime = openRuntime(quickjs);
    this.#stage = stage;
    this.#metering = metering;
  }

  /** Carries out one command; returns what is to be answered. */
  handle(command: Command): Reply | Promise<Reply> | undefined {
    switch (command.type) {
      case 'load':
        this.#modules.set(command.module, { code: command.code });
        return undefined;
      case 'unload':
        this.#modules.delete(command.module);
        return undefined;
      case 'close':
        this.#close(command.guest);
        return undefined;
      case 'step':
        return this.#answer(command.guest, () => this.#step(command));
      case 'capture':
        return this.#answer(command.guest, () => this.#capture(command.guest));
      case 'hash':
        return this.#answer(command.guest, () => this.#hash(command.guest));
      case 'query':
        return this.#answer(command.guest, () => this.#query(command));
      case 'restore':
        return this.#answer(command.guest, () => this.#restore(command));
      case 'probe':
        return this.#answer(command.guest, () => ({ type: 'probed', workflows: this.#probe(command.module) }));
    }
  }

  #answer(guest: number, work: () => Outcome | Promise<Outcome>): Reply | Promise<Reply> {
    this.#stage.enter(guest);
    try {
      const outcome = work();
      if (outcome instanceof Promise) return this.#later(guest, outcome);
      return { guest, outcome };
    } catch (error) {
      return { guest, outcome: this.#faulted(guest, error) };
    } finally {
      this.#stage.leave(guest);
    }
  }

  async #later(guest: number, work: Promise<Outcome>): Promise<Reply> {
    const { promise: closed, resolve } = Promise.withResolvers<Outcome>();
    const giveUp = (): void => resolve({ type: 'lost' });
    this.#inProgress.set(guest, giveUp);
    const done = work.catch((error: unknown) => {
      if (this.#inProgress.get(guest) === giveUp) return this.#faulted(guest, error);
      return { type: 'lost' } as const;
    });
    const outcome = await Promise.race([done, closed]);
    if (this.#inProgress.get(guest) === giveUp) this.#inProgress.delete(guest);
    this.#stage.leave(guest);
    return { guest, outcome };
  }

  #faulted(guest: number, error: unknown): Outcome {
    this.#guests.delete(guest);
    if (error instanceof GuestFault && error.facts.code === 'CANCELLED') return { type: 'lost' };
    if (error instanceof GuestFault) return { type: 'faulted', facts: error.facts };
    throw error;
  }

  #step({ guest: id, module, steps }: Command & { readonly type: 'step' }): Outcome | Promise<Outcome> {
    const guest = this.#guests.get(id) ?? this.#open(id, module);
    this.#guests.set(id, guest);
    const where = { enter: (): void => this.#stage.enter(id), leave: (): void => this.#stage.leave(id) };
    if (!('form' in steps)) return takeSteps(guest, steps, where);
    if (steps.form === 'recorded' && guest instanceof CoreGuest) return takeRecorded(guest, steps.bytes, where);
    return takeSteps(guest, unpackSteps(steps.bytes), where);
  }

  #capture(id: number): Outcome {
    return { type: 'captured', state: this.#guests.get(id)?.capture?.() ?? null };
  }

  #hash(id: number): Outcome {
    return { type: 'hashed', hash: this.#guests.get(id)?.memoryHash?.() ?? null };
  }

  #query({ guest, question }: Command & { readonly type: 'query' }): Outcome {
    return { type: 'queried', answer: this.#guests.get(guest)?.query?.(question) ?? null };
  }

  #restore({ guest: id, module, state, seed }: Command & { readonly type: 'restore' }): Outcome {
    const loaded = this.#loaded(module);
    const guest =
      loaded.code.kind === 'javascript'
        ? this.#runtimeOf(loaded.code).resume(this.#image(loaded, loaded.code), state, seed)
        : undefined;
    if (guest) this.#guests.set(id, guest);
    return { type: 'restored', isUsable: guest !== undefined };
  }

  #close(id: number): void {
    this.#guests.get(id)?.close();
    this.#guests.delete(id);
    this.#inProgress.get(id)?.();
    this.#inProgress.delete(id);
  }

  #open(id: number, module: number): Guest {
    const loaded = this.#loaded(module);
    switch (loaded.code.kind) {
      case 'core':
        return this.#pool(loaded, loaded.code.wasm).open();
      case 'wasi':
      case 'flawless':
        return this.#coroutine(id, loaded.code);
      case 'javascript':
        return this.#runtimeOf(loaded.code).open(this.#image(loaded, loaded.code));
    }
  }

  #coroutine(id: number, { kind, wasm, variant }: Exclude<GuestCode, { readonly kind: 'javascript' }>): Coroutine {
    const wait = <T>(ready: Promise<T>): Promise<T> => this.#stage.wait(id, ready);
    const host = { wait, meter: new FuelMeter(this.#metering) };
    return kind === 'flawless'
      ? openFlawlessGuest(wasm, host)
      : openWasiGuest({ module: wasm, isText: variant === 'text' }, host);
  }

  #probe(module: number): string {
    const loaded = this.#loaded(module);
    if (loaded.code.kind === 'javascript') return this.#image(loaded, loaded.code).workflows;
    if (loaded.code.kind !== 'core') return JSON.stringify(this.#coroutine(nobody, loaded.code).probe());
    this.#pool(loaded, loaded.code.wasm).open().close();
    return '[]';
  }

  #image(loaded: LoadedModule, code: ScriptCode): ScriptImage {
    loaded.image ??= this.#runtimeOf(code).load(code.script);
    return loaded.image;
  }

  #runtimeOf({ older }: ScriptCode): ScriptRuntime {
    if (!older) return this.#runtime;
    const runtime = this.#olderRuntimes.get(older.runtime) ?? this.#openRuntime(older.wasm);
    this.#olderRuntimes.set(older.runtime, runtime);
    return runtime;
  }

  #pool(loaded: LoadedModule, wasm: WebAssembly.Module): CorePool {
    loaded.pool ??= new CorePool(wasm, this.#metering);
    return loaded.pool;
  }

  #loaded(module: number): LoadedModule {
    const loaded = this.#modules.get(module);
    if (!loaded) throw new Error(`module ${module} was never loaded into this thread`);
    return loaded;
  }
}
