/** Messages: what other jobs and people say to a workflow (docs/internals/inbox.md). */
import type { AnswerEvent } from './activation.ts';
import { call, type Abortable } from './call.ts';
import { deadlineOf } from './deadline.ts';

/** A message that was received. */
export interface Message<Data = unknown> {
  /** What it was sent as. */
  readonly type: string;
  readonly data: Data;
  /** The job that sent it; null: it came from outside. */
  readonly from: string | null;
}

/** Options of {@link receive}. */
export interface ReceiveOptions {
  /** How long to wait, durably, in ms. @default for ever */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait early: it rejects with the signal's reason. */
  readonly signal?: Abortable | undefined;
}

/**
 * Waits for a message, durably: a workflow that waits for a month holds no machine for a month. Messages are kept until they are
 * received, also those that came before this call; of those whose type is wanted the oldest is given.
 *
 * @param types - a type, or several; left out: any.
 * @returns the message; undefined when `timeoutMs` was over first.
 * @throws the reason of `signal` when that aborts first.
 * @example const answer = await receive<{ by: string }>(['approved', 'refused'], { timeoutMs: 86_400_000 });
 *   if (answer?.type !== 'approved') return 'not approved';
 */
export const receive = async <Data = unknown>(
  types?: string | readonly string[],
  { timeoutMs, signal }: ReceiveOptions = {},
): Promise<Message<Data> | undefined> => {
  const wanted = types === undefined ? null : typeof types === 'string' ? [types] : [...types];
  const deadline = deadlineOf(timeoutMs, signal);
  try {
    return messageOf<Data>(await call({ type: 'receive', types: wanted }, deadline.signal));
  } catch (error) {
    if (deadline.isOver) return undefined;
    throw error;
  } finally {
    deadline.lift();
  }
};

const messageOf = <Data>({ message }: AnswerEvent): Message<Data> => {
  if (!message) throw new TypeError('the host answered a receive with something else');
  const { messageType: type, from } = message;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a message holds is between sender and receiver
  return { type, data: message.data as Data, from };
};

/**
 * Sends a message to another job of the cluster, exactly once: it is stored with the entry that asks for it.
 *
 * @param data - any JSON value, at most 1 MiB.
 * @throws {TypeError} for an argument of another kind, and data that is no JSON value.
 * @throws {EffectError} `LIMIT_EXCEEDED` for data that is too large; `JOB_NOT_FOUND`; `INVALID_TRANSITION` when that job is over; `QUEUE_FULL` when its inbox is full.
 * @example await send('order-17', 'paid', { amount: 12 });
 */
export const send = async (job: string, type: string, data: unknown = null): Promise<void> => {
  await call({ type: 'send', job, messageType: type, data });
};
