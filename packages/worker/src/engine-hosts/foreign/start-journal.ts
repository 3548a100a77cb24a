/**
 * The journal of a job that runs at a server without the engine link. Pure. The start call is an effect like any other (I5):
 * `started`, then `intents` with the request, then `answered`, then `completed` or `failed`.
 *
 *   1. A request without its answer is an unknown outcome: the workflow may be running. It is never sent again.
 *   2. An answer `CONNECTION_LOST` says that not a byte had left: the next request may be sent.
 *   3. The runtime in `started` is one that no engine has: no engine goes on with such a journal, and this host goes on with no
 *      other.
 */
import {
  mvmError,
  type Answer,
  type AnsweredEntry,
  type ClaimedJob,
  type IntentsEntry,
  type JournalEntry,
  type StartedEntry,
} from '@mvm-ci/protocol';
import type { HttpAnswer, HttpRequest } from './http.ts';

/** What `started` names as the runtime. */
const foreignRuntime = 'flawless-server';

/** Where such a journal stands. */
export type StartPosition =
  | { readonly type: 'fresh' }
  /** The next request may be sent, as call number `call`. */
  | { readonly type: 'ready'; readonly call: number }
  /** Rule 1. */
  | { readonly type: 'unknown' };

/** @throws JOURNAL_CORRUPT by rule 3 */
export const startPosition = (entries: readonly JournalEntry[]): StartPosition => {
  const [first] = entries;
  if (!first) return { type: 'fresh' };
  if (first.kind !== 'started' || first.runtime !== foreignRuntime)
    throw mvmError(
      'JOURNAL_CORRUPT',
      'the job was begun by another kind of engine; a server without the engine link can only run jobs from their start',
    );
  const calls = entries.flatMap((entry) => (entry.kind === 'intents' ? entry.intents.filter(isRequest) : [])).length;
  const unsent = entries.filter((entry) => entry.kind === 'answered' && entry.answer.type === 'error').length;
  return calls === unsent ? { type: 'ready', call: calls + 1 } : { type: 'unknown' };
};

const isRequest = ({ type }: IntentsEntry['intents'][number]): boolean => type === 'fetch';

/** First entry. Such a workflow gets no seed of ours. */
export const startedEntry = ({ job, attempt, module, workflow, input }: ClaimedJob, at: number): StartedEntry => ({
  kind: 'started',
  at,
  job,
  attempt,
  module,
  runtime: foreignRuntime,
  workflow,
  input,
  seed: new Uint8Array(32),
});

/** The request that is about to be sent, without its headers: they hold the token. */
export const requestEntry = (call: number, { method, url, body }: HttpRequest): IntentsEntry => ({
  kind: 'intents',
  intents: [
    {
      type: 'fetch',
      call,
      method,
      url,
      headers: [],
      body: body ?? null,
      redirect: 'error',
      // There is no limit; the format wants one.
      timeoutMs: Number.MAX_SAFE_INTEGER,
      idempotent: false,
      key: null,
    },
  ],
});

/** A line for the job's log. */
export const noteEntry = (text: string): IntentsEntry => ({
  kind: 'intents',
  intents: [{ type: 'log', level: 'warn', text }],
});

/** The server's answer. */
export const answeredEntry = (call: number, { url }: HttpRequest, got: HttpAnswer & { at: number }): AnsweredEntry => ({
  kind: 'answered',
  at: got.at,
  call,
  answer: {
    type: 'fetched',
    response: { status: got.status, statusText: '', url, redirected: false, headers: [], body: got.body },
  },
});

/** Rule 2. */
export const unsentEntry = (call: number, message: string, at: number): AnsweredEntry => {
  const answer: Answer = { type: 'error', code: 'CONNECTION_LOST', message };
  return { kind: 'answered', at, call, answer };
};
