/** What the main side and a guest thread say to each other. Every step is answered exactly once, steps of different guests in any order. */
import type { GuestLimits } from '../limits.ts';
import type { WasmKind } from '../module/guest-shape.ts';
import type { GuestStep } from '../run/activation.ts';
import type { GuestState } from './guest-state.ts';
import type { StepOutcome } from './guest.ts';

/** A module as a thread needs it. */
export type GuestCode =
  | {
      readonly kind: 'javascript';
      readonly script: string;
      /** The runtime that it was built for, if that isn't the thread's own. */
      readonly older?: { readonly runtime: string; readonly wasm: WebAssembly.Module } | undefined;
    }
  /** `variant` tells how it is run: the module's runtime. */
  | { readonly kind: WasmKind; readonly wasm: WebAssembly.Module; readonly variant: string };

/**
 * Steps as they go to a thread: as they are, or as bytes: packed by `thread-packing.ts`, or in the encoding of a `core` guest
 * (`core/recorded-wire.ts`).
 */
export type SentSteps = readonly GuestStep[] | { readonly form: 'steps' | 'recorded'; readonly bytes: Uint8Array };

/** To the thread. Modules and guests are named by numbers that the main side makes. */
export type Command =
  | { readonly type: 'load'; readonly module: number; readonly code: GuestCode }
  | { readonly type: 'unload'; readonly module: number }
  /** Takes steps with a guest, which is made when it isn't there yet. */
  | { readonly type: 'step'; readonly guest: number; readonly module: number; readonly steps: SentSteps }
  | { readonly type: 'close'; readonly guest: number }
  /** Asks a guest between two steps, which may only be closed afterwards. */
  | { readonly type: 'query'; readonly guest: number; readonly module: number; readonly question: string }
  /** Takes out a guest's state, or the hash of its memory. Only for a guest between two steps. */
  | { readonly type: 'capture' | 'hash'; readonly guest: number; readonly module: number }
  /** Makes a guest out of a state, if it fits. */
  | {
      readonly type: 'restore';
      readonly guest: number;
      readonly module: number;
      readonly state: GuestState;
      /** Of the attempt that the guest is for. */
      readonly seed: Uint8Array;
    }
  /** Evaluates a module: answered with its workflows as JSON text, or a fault. */
  | { readonly type: 'probe'; readonly guest: number; readonly module: number };

/** What comes of a command that is no step. */
type OtherOutcome =
  | { readonly type: 'probed'; readonly workflows: string }
  /** Null: such a guest's state can't be taken out, or the guest isn't here. */
  | { readonly type: 'captured'; readonly state: GuestState | null }
  | { readonly type: 'hashed'; readonly hash: string | null }
  /** JSON text; null: such a guest can't be asked, or the guest isn't here. */
  | { readonly type: 'queried'; readonly answer: string | null }
  | { readonly type: 'restored'; readonly isUsable: boolean };

/** From the thread. */
export interface Reply {
  readonly guest: number;
  readonly outcome: StepOutcome | OtherOutcome;
}

/** What a thread is started with. */
export interface ThreadStart {
  readonly quickjs: WebAssembly.Module;
  readonly limits: GuestLimits;
  /** See {@link pulseWords}. */
  readonly pulse: Int32Array;
  /** See {@link cancelSlot}. */
  readonly cancels: Int32Array;
  /** One word: the fuel that the thread's guests have used. */
  readonly fuel: BigInt64Array;
}

/**
 * How the main side tells a thread that it can't speak to that nobody waits for a guest's step any more: the guest's number stands in the
 * slot of that number. Two that have the same slot hinder each other: then a step's time ends the second one.
 */
export const cancelSlot = (guest: number): number => guest % cancelSlots;

/** How many slots a thread has. */
export const cancelSlots = 1_024;

/**
 * How the main side sees what a thread is doing while the thread can't speak: word 0 counts up whenever a
 * guest's code gets the stack and whenever it leaves it (odd: it is there), word 1 is the guest.
 */
export const pulseWords = { beat: 0, guest: 1, count: 2 } as const;
