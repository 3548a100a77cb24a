/**
 * Recorded steps of a `core` guest as the bytes that it reads and writes: `u32 length · activation · u32 length · intents` for
 * each step. The thread hands over the activation as it is, and compares what the guest wrote with the recorded intents byte by
 * byte. Only where the bytes differ are they read: the same intents may be written in several ways (JSON with spaces), and a
 * guest of changed code may ask for a version.
 */
import type { Intent } from '@mvm-ci/protocol';
import type { GuestStep } from '../../run/activation.ts';
import type { StepOutcome } from '../guest.ts';
import { sameIntents } from '../intent-comparison.ts';
import type { Whereabouts } from '../take-steps.ts';
import { takeWholeStep } from '../whole-step.ts';
import { writeActivation } from './activation-wire.ts';
import type { CoreGuest } from './core-guest.ts';
import { readIntents, writeIntents } from './intent-wire.ts';
import { WireWriter } from './wire-writer.ts';

const lengthBytes = 4;
/** What is written is copied before anything else is: one writer serves all. */
const writer = new WireWriter();

/**
 * The steps as bytes; undefined when one of them isn't recorded, or recorded a `version`, whose answer is an activation of its
 * own within the step.
 */
export const packRecorded = (steps: readonly GuestStep[]): Uint8Array<ArrayBuffer> | undefined => {
  writer.clear();
  for (const { activation, recorded } of steps) {
    if (recorded === null || recorded.some(({ type }) => type === 'version')) return undefined;
    writer.measured(() => writeActivation(writer, activation));
    writer.measured(() => writeIntents(writer, recorded));
  }
  return new Uint8Array(writer.written);
};

/** Feeds the steps in `bytes` to `guest`; as `takeSteps`. @throws {GuestFault} what the guest throws */
export const takeRecorded = (guest: CoreGuest, bytes: Uint8Array, where: Whereabouts): StepOutcome => {
  const packed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let last: Uint8Array = empty;
  for (let [at, index] = [0, 0]; at < packed.length; index += 1) {
    const activation = partAt(packed, at);
    const recorded = partAt(packed, at + lengthBytes + activation.length);
    at += 2 * lengthBytes + activation.length + recorded.length;
    const asked = onStage(where, () => guest.stepBytes(activation));
    const other = recorded.equals(asked) ? undefined : difference(guest, { activation, asked, recorded, where });
    if (other) return { type: 'diverged', index, asked: other };
    last = recorded;
  }
  return { type: 'stepped', intents: last.length === 0 ? [] : readIntents(last) };
};

const partAt = (packed: Buffer, at: number): Buffer => {
  const from = at + lengthBytes;
  return packed.subarray(from, from + packed.readUInt32LE(at));
};

interface Compared {
  readonly activation: Buffer;
  /** In the guest's memory: read before it runs again. */
  readonly asked: Uint8Array;
  readonly recorded: Uint8Array;
  readonly where: Whereabouts;
}

/** What the step asked for in the end, if that isn't what is recorded. */
const difference = (guest: CoreGuest, compared: Compared): readonly Intent[] | undefined => {
  const { activation, where } = compared;
  const recorded = readIntents(compared.recorded);
  const asked = onStage(where, () => guest.read(compared.asked));
  const step = { activation: { now: activation.readDoubleLE(1), events: [] }, recorded };
  let isFirst = true;
  const whole = takeWholeStep((more) => {
    if (!isFirst) return onStage(where, () => guest.step(more));
    isFirst = false;
    return asked;
  }, step);
  // A core guest answers at once.
  if (whole instanceof Promise || sameIntents(recorded, whole)) return undefined;
  return whole;
};

const onStage = <T>(where: Whereabouts, body: () => T): T => {
  where.enter();
  try {
    return body();
  } finally {
    where.leave();
  }
};

const empty = new Uint8Array(0);
