/** What a guest is told in one step, derived from the journal alone (step-machine.md, rule 1). */
import type { Answer, Intent } from '@mvm-ci/protocol';

/** One event of an activation. */
export type GuestEvent =
  | {
      readonly type: 'start';
      readonly job: string;
      readonly attempt: number;
      readonly workflow: string;
      /** JSON text. */
      readonly input: string;
      /** 32 bytes. */
      readonly seed: Uint8Array;
    }
  | { readonly type: 'answer'; readonly call: number; readonly answer: Answer }
  /** Told within the step in which the guest asked: whether it may run the code that knows this change. */
  | { readonly type: 'version'; readonly change: string; readonly chosen: boolean };

/** Everything that happened since the step before. */
export interface Activation {
  /** Unix time in ms, a whole number: the guest's time for the whole step. */
  readonly now: number;
  readonly events: readonly GuestEvent[];
}

/** A step to be taken; with `recorded`, one that was taken before and must ask for the same again (I6). */
export interface GuestStep {
  readonly activation: Activation;
  readonly recorded: readonly Intent[] | null;
}
