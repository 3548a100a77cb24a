/** The optional module `mvm` of a `wasi` guest: effects in the encoding of `core` guests (step-machine.md). */
import type { Intent } from '@mvm-ci/protocol';
import type { Coroutine, TakenAnswer } from '../blocking/coroutine.ts';
import { ProgramEnd } from '../blocking/program-end.ts';
import { writeActivation } from '../core/activation-wire.ts';
import { readIntents } from '../core/intent-wire.ts';
import { WireWriter } from '../core/wire-writer.ts';
import { GuestFault } from '../guest.ts';
import type { GuestMemory } from './guest-memory.ts';
import { WasiError } from './errno.ts';

/** Host functions by name. */
export interface MvmCalls {
  /** Asks for the intents at the place; returns the number of the first call in them, 0 when none is a call. */
  readonly submit: (place: number, length: number) => number;
  /** Waits for the answer of a call (0: of any); returns the bytes that {@link read} gives. For `suspending-call.ts`. */
  readonly wait: (call: number) => number | Promise<number>;
  /** Copies the answer that was waited for, cut to `length`; returns how many bytes. */
  readonly read: (place: number, length: number) => number;
  /** Whether the program may run the code that knows the change whose name is at the place. For `suspending-call.ts`. */
  readonly version: (place: number, length: number) => number | Promise<number>;
  /** Calls that may still be waited for. */
  readonly pending: () => number;
}

/** The functions for one guest. */
export const mvmCalls = (memory: GuestMemory, calls: Coroutine): MvmCalls => {
  let answered: Uint8Array = new Uint8Array(0);
  const keep = ({ call, answer }: TakenAnswer): number => {
    const writer = new WireWriter();
    writeActivation(writer, { now: calls.now, events: [{ type: 'answer', call, answer }] });
    answered = new Uint8Array(writer.written);
    return answered.length;
  };
  return {
    submit: (place, length) => {
      const before = calls.made;
      const bytes = withinMemory(() => memory.slice(place, length));
      for (const intent of readIntents(bytes)) submit(calls, intent);
      return calls.made > before ? before + 1 : 0;
    },
    wait: (call) => {
      const taken = calls.take(call >>> 0);
      return taken instanceof Promise ? taken.then(keep) : keep(taken);
    },
    read: (place, length) => {
      const part = answered.subarray(0, length >>> 0);
      withinMemory(() => memory.write(place, part));
      return part.length;
    },
    version: (place, length) => {
      const chosen = calls.version(withinMemory(() => memory.text(place, length)));
      return chosen instanceof Promise ? chosen.then(Number) : Number(chosen);
    },
    pending: () => calls.pending,
  };
};

const submit = (calls: Coroutine, intent: Intent): void => {
  switch (intent.type) {
    case 'complete':
    case 'fail':
      throw new ProgramEnd([intent]);
    case 'abandon':
      return calls.abandon(intent.call);
    case 'version':
      throw new GuestFault({ code: 'GUEST_PROTOCOL', message: 'a version is not submitted: call mvm.version' });
    case 'log':
    case 'progress':
    case 'respond':
    case 'group':
      return calls.note(intent);
    default:
      // Its number is another one: sleeps of `poll_oneoff` are calls too.
      calls.ask(intent);
  }
};

const withinMemory = <T>(access: () => T): T => {
  try {
    return access();
  } catch (error) {
    if (!(error instanceof WasiError)) throw error;
    throw new GuestFault({ code: 'GUEST_PROTOCOL', message: "a place that lies outside of the guest's memory" });
  }
};
