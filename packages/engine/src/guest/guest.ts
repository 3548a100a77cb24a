import type { ErrorCode, Intent } from '@mvm-ci/protocol';
import type { GuestState } from './guest-state.ts';
import type { Activation } from '../run/activation.ts';

/**
 * A guest in its thread: a pure function from activations to intents, whatever its kind. It takes one step at a time.
 * After a {@link GuestFault} it must not be stepped again.
 */
export interface Guest {
  /**
   * Takes a step: the intents themselves when it ended at once, a promise when the guest's stack was suspended
   * (`stage.ts`), so that other guests take steps meanwhile.
   *
   * @throws {GuestFault} when the guest breaks a rule or a limit, or traps; a promise rejects with it
   */
  step(activation: Activation): readonly Intent[] | Promise<readonly Intent[]>;
  /** Its state, where it can be taken out. Only between two steps. */
  capture?(): GuestState;
  /** BLAKE3 of its memory, hex, where two guests that took the same steps have the same one. Only between two steps. */
  memoryHash?(): string;
  /**
   * Asks a guest at rest, where its kind can be asked: JSON text `{ "value" }` or `{ "error" }`; undefined when its code has no queries.
   * The guest may only be closed afterwards.
   *
   * @throws {GuestFault}
   */
  query?(question: string): string | undefined;
  /** Frees what it holds; of a step in progress nobody waits for the end any more. Idempotent. */
  close(): void;
}

/** Where and how a guest's code failed, as its runtime tells it: positions are those of the bundle, not the author's. */
export interface FaultFacts {
  readonly code: ErrorCode;
  readonly message: string;
  /** Stack of the guest's runtime, '' when it has none. */
  readonly stack?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A guest's own failure: it ends the attempt, never the thread. */
export class GuestFault extends Error {
  readonly facts: FaultFacts;

  constructor(facts: FaultFacts) {
    super(facts.message);
    this.name = 'GuestFault';
    this.facts = facts;
  }
}

/** What came of one or more steps. */
export type StepOutcome =
  /** All recorded steps asked for the same again; these are the intents of the last step. */
  | { readonly type: 'stepped'; readonly intents: readonly Intent[] }
  /** Step number `index` (from 0, of those sent) asked for something else than it did before (I6). */
  | { readonly type: 'diverged'; readonly index: number; readonly asked: readonly Intent[] }
  | { readonly type: 'faulted'; readonly facts: FaultFacts }
  /** The guest is gone through no fault of its own (its thread ended, it was dropped): replay it. */
  | { readonly type: 'lost' };
