/** A `javascript` guest: one job in one instance of the script runtime. */
import type { Intent } from '@mvm-ci/protocol';
import type { Activation } from '../../run/activation.ts';
import type { Guest } from '../guest.ts';
import { checkIntents } from '../intent-rules.ts';
import { activationText, parseIntents } from './activation-json.ts';
import type { ScriptMachine } from './script-machine.ts';

export class ScriptGuest implements Guest {
  readonly #machine: ScriptMachine;
  readonly #release: (machine: ScriptMachine) => void;
  #healthy = true;

  /** `release` gets the machine back when the guest is closed, unless its instance can't be used again. */
  constructor(machine: ScriptMachine, release: (machine: ScriptMachine) => void) {
    this.#machine = machine;
    this.#release = release;
  }

  step(activation: Activation): readonly Intent[] {
    // Whatever fails, the instance may be in the middle of something: it isn't pooled again.
    this.#healthy = false;
    this.#machine.instance.nowMs = activation.now;
    for (const event of activation.events) if (event.type === 'start') this.#machine.seed(event.seed.toHex());
    const intents = parseIntents(this.#machine.step(activationText(activation)));
    checkIntents(intents);
    this.#healthy = true;
    return intents;
  }

  close(): void {
    if (!this.#healthy) return;
    this.#healthy = false;
    this.#release(this.#machine);
  }
}
