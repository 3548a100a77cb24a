/** A `javascript` guest: one job in one instance of the script runtime. */
import type { Intent } from '@mvm-ci/protocol';
import type { Activation } from '../../run/activation.ts';
import { engineLimits, seedBytes } from '../../limits.ts';
import type { GuestState } from '../guest-state.ts';
import { GuestFault, type Guest } from '../guest.ts';
import { checkIntents } from '../intent-rules.ts';
import { activationInput, parseIntents } from './activation-json.ts';
import type { StateHead } from './memory-difference.ts';
import { outOfMemory, type ScriptMachine } from './script-machine.ts';

/** Whoever made the guest, and knows what is in its memory. */
export interface GuestKeeper {
  capture(head: StateHead): GuestState;
  memoryHash(): string;
  /** Takes the instance back when the guest is closed, unless it can't be used again. */
  release(): void;
}

export class ScriptGuest implements Guest {
  readonly #machine: ScriptMachine;
  readonly #keeper: GuestKeeper;
  #seed: Uint8Array;
  #healthy = true;

  /** @param head - of the state that it goes on from; none for a guest at its beginning. */
  constructor(machine: ScriptMachine, keeper: GuestKeeper, head?: StateHead) {
    this.#seed = head?.seed ?? new Uint8Array(seedBytes);
    this.#machine = machine;
    this.#keeper = keeper;
  }

  step(activation: Activation): readonly Intent[] {
    // Whatever fails, the instance may be in the middle of something: it isn't pooled again.
    this.#healthy = false;
    this.#machine.instance.nowMs = activation.now;
    for (const event of activation.events) if (event.type === 'start') this.#start(event.seed);
    const machine = this.#machine;
    const asked = machine.step(activationInput(activation, machine));
    const intents = parseIntents(asked, (number) => this.#sent(number));
    checkIntents(intents);
    this.#checkMemory(intents);
    this.#healthy = true;
    return intents;
  }

  capture(): GuestState {
    return this.#keeper.capture({ fuel: this.#machine.instance.meter.left, seed: this.#seed });
  }

  memoryHash(): string {
    return this.#keeper.memoryHash();
  }

  query(question: string): string | undefined {
    this.#healthy = false;
    this.#machine.instance.meter.refill(engineLimits.queryFuelMax);
    return this.#machine.query(question);
  }

  close(): void {
    if (!this.#healthy) return;
    this.#healthy = false;
    this.#keeper.release();
  }

  #sent(number: number): Uint8Array {
    if (this.#machine.takesBytes) return this.#machine.sent(number);
    throw new GuestFault({
      code: 'GUEST_PROTOCOL',
      message: 'the guest speaks of bytes, and has no function mvm_bytes',
    });
  }

  /** Without memory for an error object, the runtime throws one that says nothing and has no stack. */
  #checkMemory(intents: readonly Intent[]): void {
    if (!this.#machine.instance.outOfMemory) return;
    if (intents.some((intent) => intent.type === 'fail' && intent.stack === '')) throw outOfMemory();
  }

  #start(seed: Uint8Array): void {
    this.#seed = seed;
    this.#machine.seed(seed.toHex());
  }
}
