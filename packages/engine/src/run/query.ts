/**
 * A question to an attempt, answered by a guest that is made for it from the journal and thrown away afterwards: it performs nothing and
 * writes nothing, and the run of the job, wherever it is, doesn't notice. The answer is that of the last step that is recorded.
 */
import { limits, mvmError, type ErrorCode, type MvmError } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { FaultFacts, StepOutcome } from '../guest/guest.ts';
import type { Snapshot } from '../guest/guest-state.ts';
import type { GuestHandle, ResumedState } from '../guest/guest-threads.ts';
import type { Reply } from '../guest/thread-message.ts';
import { engineLimits } from '../limits.ts';
import { divergence, faultFailure, startObjection } from './failure.ts';
import type { Failure } from './outcome.ts';
import type { ReplayParts, ReplayRequest } from './replay.ts';
import { standingOf } from './snapshot-watch.ts';
import { StepLog } from './step-log.ts';

/** What is asked, and of which attempt. */
export interface QueryRequest extends ReplayRequest {
  /** Of the handler. */
  readonly name: string;
  /** JSON text. */
  readonly args: string;
  /** A state of the guest, which spares the steps behind it. One that doesn't fit is ignored. @default none */
  readonly snapshot?: Snapshot | undefined;
}

type Asked = Pick<GuestHandle, 'step' | 'query' | 'close'>;

/** What a query takes from its engine. */
export interface QueryParts extends Pick<ReplayParts, 'modules'> {
  readonly guests: { open(module: Parameters<ReplayParts['guests']['open']>[0], resume?: ResumedState): Asked };
}

/**
 * Asks. @returns JSON text
 *
 * @throws {MvmError} QUERY_NOT_FOUND, QUERY_FAILED; what a replay throws, and what it comes to when it fails
 */
export const query = async (request: QueryRequest, parts: QueryParts, signal: AbortSignal): Promise<string> => {
  const { job, attempt, workflow, journal, name, args } = request;
  const module = await parts.modules.get(request.module, signal);
  const { kind } = module.code;
  if (kind !== 'javascript') throw notFound(`a module of the kind "${kind}" has no queries: TypeScript workflows have`);
  const objection = startObjection({ job, attempt, runtime: module.runtime, workflow, journal });
  if (objection) throw errorOf(objection);
  const log = new StepLog();
  for (const entry of journal) log.add(entry);
  if (log.recordedSteps === 0) throw notFound('the workflow has not taken its first step yet');
  const standing = standingOf(request.snapshot, journal, module.runtime);
  const question = `{"name":${JSON.stringify(name)},"args":${args}}`;
  const { outcome, where } = await ask(log, question, { open: () => parts.guests.open(module, standing), signal });
  switch (outcome.type) {
    case 'queried':
      if (outcome.answer === null) throw notFound('the workflow was built by a release that knew no queries');
      return answerIn(outcome.answer, name);
    case 'diverged':
      throw errorOf(divergence(log, outcome.index, outcome.asked));
    case 'faulted':
      if (where === 'handler') throw handlerFault(name, outcome.facts);
      throw errorOf(faultFailure(outcome.facts, module.mapStack));
    default:
      throw mvmError('INTERNAL', 'the query was given up: its guest was lost with its thread again and again');
  }
};

interface Asking {
  readonly open: () => Asked;
  readonly signal: AbortSignal;
}

interface Answered {
  readonly outcome: StepOutcome | Reply['outcome'];
  /** Whose code ran last. */
  readonly where: 'replay' | 'handler';
}

/** With another guest when the first was lost with its thread. */
const ask = async (log: StepLog, question: string, { open, signal }: Asking): Promise<Answered> => {
  let answered: Answered = { outcome: { type: 'lost' }, where: 'replay' };
  for (let tried = 0; answered.outcome.type === 'lost' && tried < engineLimits.replayTriesMax; tried += 1) {
    if (signal.aborted) throw mvmError('CANCELLED', 'the query was cancelled');
    const guest = open();
    const close = (): void => guest.close();
    signal.addEventListener('abort', close, { once: true });
    answered = await askOne(guest, log, question).finally(close);
    signal.removeEventListener('abort', close);
  }
  return answered;
};

const askOne = async (guest: Asked, log: StepLog, question: string): Promise<Answered> => {
  // What was answered and led to no recorded step yet may come in another company: the next step isn't known.
  const outcome = await guest.step((first) => log.stepsFrom(first).slice(0, log.recordedSteps - first));
  if (outcome.type !== 'stepped') return { outcome, where: 'replay' };
  return { outcome: (await guest.query(question)) ?? { type: 'lost' }, where: 'handler' };
};

const answerSchema = z.union([
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
  z.object({ value: z.unknown() }),
]);

const answerIn = (text: string, name: string): string => {
  const answer = answerSchema.parse(JSON.parse(text));
  if ('error' in answer) throw mvmError(codeOf(answer.error.code), answer.error.message);
  const value = JSON.stringify(answer.value ?? null);
  const bytes = Buffer.byteLength(value);
  const limit = limits.resultBytesMax;
  if (bytes <= limit) return value;
  throw mvmError('QUERY_FAILED', `query "${name}": an answer may have ${limit} bytes, this one has ${bytes}`);
};

const codeOf = (code: string): ErrorCode => (code === 'QUERY_NOT_FOUND' ? code : 'QUERY_FAILED');

const notFound = (message: string): MvmError => mvmError('QUERY_NOT_FOUND', message);

const errorOf = ({ code, message, details }: Failure): MvmError => mvmError(code, message, details);

const handlerFault = (name: string, { code, message }: FaultFacts): MvmError => {
  const isEndless = code === 'FUEL_EXHAUSTED' || code === 'STEP_TIMEOUT';
  return mvmError('QUERY_FAILED', `query "${name}": ${isEndless ? 'the handler does not end in time' : message}`);
};
