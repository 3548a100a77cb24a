/** The failures that an attempt can end in, each with the rule that was broken and what was received. */
import { isErrorCode, limits, type ErrorCode, type FailIntent, type Intent, type JournalEntry } from '@mvm-ci/protocol';
import type { FaultFacts } from '../guest/guest.ts';
import { firstDifference } from '../guest/intent-comparison.ts';
import { engineLimits } from '../limits.ts';
import type { Failure } from './outcome.ts';
import type { RunStart } from './run-output.ts';
import type { StepLog } from './step-log.ts';

/** Rule 7: nothing can ever wake this guest. */
export const workflowStuck: Failure = {
  code: 'WORKFLOW_STUCK',
  message: 'the workflow waits for a promise that nothing will ever resolve: it has no call open and did not return',
};

/** The stored journal isn't one of this attempt. */
const corruptJournal = (why: string): Failure => ({
  code: 'JOURNAL_CORRUPT',
  message: `the journal does not fit the job: ${why}`,
});

/** Why a run can't go on with the journal that it was given. */
export const startObjection = (
  start: Pick<RunStart, 'job' | 'attempt' | 'runtime' | 'workflow' | 'journal' | 'head'>,
): Failure | undefined => {
  const first = start.head?.started ?? start.journal[0];
  if (!first) return undefined;
  if (first.kind !== 'started') return corruptJournal(`its first entry is "${first.kind}", not "started"`);
  // Not the module: other code is judged by what it asks for (I6).
  const wrong = (['job', 'attempt', 'runtime', 'workflow'] as const).find((field) => first[field] !== start[field]);
  return wrong && corruptJournal(`it was started with ${wrong} "${first[wrong]}", the job says "${start[wrong]}"`);
};

/** Where a replay left its journal. */
export interface Divergence {
  /** Number of the journal's entry. */
  readonly entry: number;
  /** What it says, in a few words. */
  readonly recorded: string;
  /** What was asked for instead. */
  readonly asked: string;
}

/** How step `index`, which asked for `asked`, differs from its journal. */
export const divergenceOf = (log: StepLog, index: number, asked: readonly Intent[]): Divergence => {
  const step = log.step(index);
  const difference = firstDifference(step?.recorded ?? [], asked);
  return { entry: step?.entry ?? 0, recorded: shown(difference.recorded), asked: shown(difference.asked) };
};

/** Step `index` asked for something else than its journal says (I6). */
export const divergence = (log: StepLog, index: number, asked: readonly Intent[]): Failure => {
  const details = divergenceOf(log, index, asked);
  return {
    code: 'NONDETERMINISM',
    message: `entry ${details.entry}: its journal says ${details.recorded}, and on replay the workflow asked for ${details.asked}`,
    details: { ...details },
  };
};

const shown = (text: string): string =>
  text.length <= engineLimits.shownCharsMax ? text : `${text.slice(0, engineLimits.shownCharsMax)}…`;

// Room for the last intents, their answers and the `failed` entry.
const endReserveEntries = engineLimits.openCallsMax + 3;
const endReserveBytes = 2 * engineLimits.intentsBytesMax;

/** Whether the journal has no room for another step. */
export const journalIsFull = (log: StepLog): Failure | undefined => {
  const { journalEntriesMax, journalBytesMax } = limits;
  if (log.length > journalEntriesMax - endReserveEntries) return full('entries', journalEntriesMax, log.length);
  if (log.bytes > journalBytesMax - endReserveBytes) return full('bytes', journalBytesMax, log.bytes);
  return undefined;
};

const full = (what: string, limit: number, received: number): Failure => ({
  code: 'LIMIT_EXCEEDED',
  message: `an attempt's journal may hold ${limit} ${what}: this one has ${received}, and the rest is kept free for its end`,
  details: { what, limit, received },
});

/** The guest broke a rule or a limit, or trapped. */
export const faultFailure = (facts: FaultFacts, mapStack: (stack: string) => string): Failure => {
  const stack = mapStack(facts.stack ?? '');
  return {
    code: facts.code,
    message: located(facts.message, stack),
    details: { ...facts.details, ...(stack !== '' && { stack }) },
  };
};

/** Codes of effects' errors that stay as they are when the author's code doesn't catch them. */
const effectCodes: ReadonlySet<string> = new Set([
  'OUTCOME_UNKNOWN',
  'CONNECTION_LOST',
  'DEADLINE_EXCEEDED',
  'LIMIT_EXCEEDED',
  'INVALID_ARGUMENT',
  'PROGRAM_FAILED',
  'JOB_EXISTS',
  'JOB_NOT_FOUND',
  'QUEUE_FULL',
  'WORKFLOW_NOT_FOUND',
]);

/** The workflow threw. `mapStack` finds the author's source. */
export const thrownFailure = (intent: FailIntent, mapStack: (stack: string) => string): Failure => {
  const stack = mapStack(intent.stack);
  const text = intent.name === '' ? intent.message : `${intent.name}: ${intent.message}`;
  return {
    code: thrownCode(intent),
    message: located(text, stack),
    details: { name: intent.name, ...(stack !== '' && { stack }) },
  };
};

const thrownCode = (intent: FailIntent): ErrorCode => {
  if (intent.name === 'InternalError' && intent.message === 'out of memory') return 'OUT_OF_MEMORY';
  return effectCodes.has(intent.code) && isErrorCode(intent.code) ? intent.code : 'WORKFLOW_FAILED';
};

/** `message` with the first `file:line:column` of the stack behind it, if there is one; of the author's before the SDK's. */
const located = (message: string, stack: string): string => {
  const places = stack.match(/[^\s()]+:\d+:\d+/g) ?? [];
  const where = places.find((place) => !place.startsWith('@mvm-ci/sdk/')) ?? places[0];
  return where === undefined ? message : `${message} (${where})`;
};

/** The failure that an attempt's last entry holds. */
export const recordedFailure = ({ code, message }: JournalEntry & { readonly kind: 'failed' }): Failure => ({
  code: isErrorCode(code) ? code : 'INTERNAL',
  message,
});
