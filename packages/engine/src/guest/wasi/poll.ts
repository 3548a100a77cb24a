/** `poll_oneoff`: files and streams are always ready; a poll of clocks alone is a durable sleep until the first of them. */
import type { Coroutine } from '../blocking/coroutine.ts';
import { engineLimits } from '../../limits.ts';
import { errno, WasiError } from './errno.ts';
import type { FileState } from './file-calls.ts';
import { clockTime, type ProcessState } from './process-calls.ts';

const subscriptionBytes = 48;
const eventBytes = 32;
const tags = { clock: 0, read: 1, write: 2 } as const;
const absolute = 1;
const nsPerMs = 1_000_000n;

interface Subscription {
  readonly userdata: bigint;
  readonly tag: number;
  /** Of a clock: how long from now, in ns. */
  readonly leftNs: bigint;
  /** What is wrong with it. */
  readonly errno: number;
}

export interface PollState extends FileState, Pick<ProcessState, 'startedAt'> {
  readonly calls: Coroutine;
}

type Poll = (...[list, events, count, written]: readonly [number, number, number, number]) => number | Promise<number>;

/** The host function, for `suspending-call.ts`. */
export const pollOneoff =
  (state: PollState): Poll =>
  (...[list, events, count, written]) => {
    return answering(() => {
      const subscriptions = readSubscriptions(state, list, count);
      const ready = subscriptions.filter((one) => one.leftNs <= 0n || one.errno !== errno.success);
      const answer = (due: readonly Subscription[]): number => answerPoll(state, due, { events, written });
      if (ready.length > 0) return answer(ready);
      const shortest = subscriptions.reduce((least, { leftNs }) => (leftNs < least ? leftNs : least), longestNs);
      const slept = state.calls.take(state.calls.ask({ type: 'sleep', ms: sleepMs(shortest) }));
      const due = subscriptions.filter(({ leftNs }) => leftNs <= shortest);
      return slept instanceof Promise ? slept.then(() => answering(() => answer(due))) : answer(due);
    });
  };

const answering = <T>(poll: () => T): T | number => {
  try {
    return poll();
  } catch (error) {
    if (error instanceof WasiError) return error.errno;
    throw error;
  }
};

const longestNs = BigInt(engineLimits.sleepMsMax) * nsPerMs;

// Timers are whole milliseconds, and never too short.
const sleepMs = (ns: bigint): number => Number((ns + nsPerMs - 1n) / nsPerMs);

const readSubscriptions = (state: PollState, list: number, count: number): readonly Subscription[] => {
  const number = count >>> 0;
  if (number === 0 || number > engineLimits.pollSubscriptionsMax) throw new WasiError('inval');
  return Array.from({ length: number }, (_, index) =>
    readSubscription(state, (list >>> 0) + index * subscriptionBytes),
  );
};

const readSubscription = (state: PollState, place: number): Subscription => {
  const userdata = state.memory.u64(place);
  const tag = state.memory.u8(place + 8);
  try {
    return { userdata, tag, leftNs: leftOf(state, place, tag), errno: errno.success };
  } catch (error) {
    if (error instanceof WasiError && error.errno !== errno.fault)
      return { userdata, tag, leftNs: 0n, errno: error.errno };
    throw error;
  }
};

const leftOf = (state: PollState, place: number, tag: number): bigint => {
  if (tag === tags.clock) return clockLeft(state, place);
  if (tag !== tags.read && tag !== tags.write) throw new WasiError('inval');
  state.table.get(state.memory.u32(place + 16));
  return 0n;
};

const clockLeft = (state: PollState, place: number): bigint => {
  const now = clockTime(state.memory.u32(place + 16), state);
  const timeout = state.memory.u64(place + 24);
  const isAbsolute = (state.memory.u16(place + 40) & absolute) !== 0;
  const left = isAbsolute ? timeout - now : timeout;
  return left > longestNs ? longestNs : left;
};

const answerPoll = (
  { memory }: PollState,
  due: readonly Subscription[],
  { events, written }: { readonly events: number; readonly written: number },
): number => {
  for (const [index, { userdata, tag, errno: wrong }] of due.entries()) {
    const event = Buffer.alloc(eventBytes);
    event.writeBigUInt64LE(userdata, 0);
    event.writeUInt16LE(wrong, 8);
    event.writeUInt8(tag, 10);
    // How much can be read or written is unknown, as with a pipe; at least 1.
    if (tag !== tags.clock) event.writeBigUInt64LE(1n, 16);
    memory.write((events >>> 0) + index * eventBytes, event);
  }
  memory.setU32(written, due.length);
  return errno.success;
};
