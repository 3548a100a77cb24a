/**
 * The guests of one thread: carries out commands, one after another. It owns the loaded modules, their script images and
 * the guests; the thread's file (`guest-thread.ts`) owns the port.
 */
import { sameIntents } from './intent-comparison.ts';
import { CoreGuest } from './core/core-guest.ts';
import { GuestFault, type Guest, type StepOutcome } from './guest.ts';
import type { ScriptImage, ScriptRuntime } from './quickjs/script-runtime.ts';
import { pulseWords, type Command, type GuestCode, type Reply } from './thread-message.ts';
import type { GuestStep } from '../run/activation.ts';

interface LoadedModule {
  readonly code: GuestCode;
  image?: ScriptImage;
}

export class GuestBench {
  readonly #runtime: ScriptRuntime;
  readonly #pulse: Int32Array;
  readonly #modules = new Map<number, LoadedModule>();
  readonly #guests = new Map<number, Guest>();

  constructor(runtime: ScriptRuntime, pulse: Int32Array) {
    this.#runtime = runtime;
    this.#pulse = pulse;
  }

  /** Carries out one command; returns what is to be answered. */
  handle(command: Command): Reply | undefined {
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
        return this.#inPulse(command.guest, () => this.#step(command));
      case 'probe':
        return this.#inPulse(command.guest, () => ({ type: 'probed', workflows: this.#probe(command.module) }));
    }
  }

  #inPulse(guest: number, work: () => Reply['outcome']): Reply {
    Atomics.store(this.#pulse, pulseWords.guest, guest);
    Atomics.add(this.#pulse, pulseWords.beat, 1);
    try {
      return { guest, outcome: work() };
    } catch (error) {
      this.#guests.delete(guest);
      if (error instanceof GuestFault) return { guest, outcome: { type: 'faulted', facts: error.facts } };
      throw error;
    } finally {
      Atomics.add(this.#pulse, pulseWords.beat, 1);
    }
  }

  #step({ guest: id, module, steps }: Command & { readonly type: 'step' }): StepOutcome {
    const guest = this.#guests.get(id) ?? this.#open(module);
    this.#guests.set(id, guest);
    return takeSteps(guest, steps, () => this.#beatTwice());
  }

  /** A step of a replay ended and the next one began: the watchdog counts each step by itself. */
  #beatTwice(): void {
    Atomics.add(this.#pulse, pulseWords.beat, 2);
  }

  #close(id: number): void {
    this.#guests.get(id)?.close();
    this.#guests.delete(id);
  }

  #open(module: number): Guest {
    const loaded = this.#loaded(module);
    if (loaded.code.kind === 'core') return new CoreGuest(loaded.code.wasm);
    return this.#runtime.open(this.#image(loaded, loaded.code.script));
  }

  #probe(module: number): string {
    const loaded = this.#loaded(module);
    if (loaded.code.kind === 'javascript') return this.#image(loaded, loaded.code.script).workflows;
    new CoreGuest(loaded.code.wasm).close();
    return '[]';
  }

  #image(loaded: LoadedModule, script: string): ScriptImage {
    loaded.image ??= this.#runtime.load(script);
    return loaded.image;
  }

  #loaded(module: number): LoadedModule {
    const loaded = this.#modules.get(module);
    if (!loaded) throw new Error(`module ${module} was never loaded into this thread`);
    return loaded;
  }
}

/** Takes the steps in order and compares those that are recorded (I6). */
const takeSteps = (guest: Guest, steps: readonly GuestStep[], onNext: () => void): StepOutcome => {
  let intents: ReturnType<Guest['step']> = [];
  for (const [index, { activation, recorded }] of steps.entries()) {
    if (index > 0) onNext();
    intents = guest.step(activation);
    if (recorded && !sameIntents(recorded, intents)) return { type: 'diverged', index, asked: intents };
  }
  return { type: 'stepped', intents };
};
