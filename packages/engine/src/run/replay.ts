/**
 * A replay for its own sake: feeds what an attempt was told to a module, performs nothing, writes nothing, and tells whether the
 * module asks for the same again (I6). It owns nothing but the guest; the run's core is the same code that a resumed job goes through.
 */
import {
  mvmError,
  type ErrorRecord,
  type Intent,
  type JournalEntry,
  type LogLevel,
  type ReplayVerdict,
} from '@mvm-ci/protocol';
import type { StepOutcome } from '../guest/guest.ts';
import type { GuestHandle, GuestModule } from '../guest/guest-threads.ts';
import { engineLimits } from '../limits.ts';
import type { LoadedModule } from '../module/loaded-module.ts';
import type { ModuleCache } from '../module/module-cache.ts';
import { divergenceOf, faultFailure, startObjection, type Divergence } from './failure.ts';
import type { Failure } from './outcome.ts';
import type { QueryRequest } from './query.ts';
import { StepLog } from './step-log.ts';

/** Which attempt to replay, with which module. */
export interface ReplayRequest {
  readonly job: string;
  readonly attempt: number;
  /** Hash of the module to replay it with, hex: not necessarily the one that it started with. */
  readonly module: string;
  readonly workflow: string;
  /** What is recorded of the attempt, from its first entry on; it may be over. */
  readonly journal: readonly JournalEntry[];
}

/** A line that the workflow logged on the way. `at` is its own time, Unix ms; `seq` the entry that holds it. */
export interface ReplayedLine {
  readonly seq: number;
  readonly at: number;
  readonly level: LogLevel;
  readonly text: string;
}

/** What came of a replay. */
export interface ReplayReport {
  /** Whether the module asked for all that is recorded: a job with this journal can go on with it. */
  readonly compatible: boolean;
  /** In the journal. */
  readonly entries: number;
  /** Steps that the guest took as recorded. */
  readonly steps: number;
  /** Where it asked for something else first. */
  readonly divergence?: Divergence | undefined;
  /** Why it could not be taken further, unless the recorded attempt failed in the same way. */
  readonly failure?: ErrorRecord | undefined;
  /** The last {@link engineLimits.replayLogLinesMax} lines. */
  readonly logs: readonly ReplayedLine[];
}

/** A report without what was logged. */
export const verdictOf = ({ compatible, entries, steps, divergence, failure }: ReplayReport): ReplayVerdict => ({
  compatible,
  entries,
  steps,
  ...(divergence && { divergence }),
  ...(failure && { failure }),
});

/** Replays journals without any effect. */
export interface Replayer {
  /**
   * Replays `request.journal`.
   *
   * @throws {MvmError} what the module source throws, and `MODULE_INVALID` or `RUNTIME_NOT_INSTALLED` when the module can't be
   *   run here; `CANCELLED` when `signal` fires
   */
  replay(request: ReplayRequest, options?: { readonly signal?: AbortSignal | undefined }): Promise<ReplayReport>;
  /**
   * Asks an attempt by its journal (`query.ts`). @returns JSON text
   *
   * @throws {MvmError} QUERY_NOT_FOUND, QUERY_FAILED, and what `replay` throws or reports
   */
  query(request: QueryRequest, options?: { readonly signal?: AbortSignal | undefined }): Promise<string>;
}

/** What a replay takes from its engine. */
export interface ReplayParts {
  readonly modules: Pick<ModuleCache, 'get'>;
  readonly guests: { open(module: GuestModule): Pick<GuestHandle, 'step' | 'close'> };
}

/** See {@link Replayer.replay}. */
export const replay = async (
  request: ReplayRequest,
  { modules, guests }: ReplayParts,
  signal: AbortSignal,
): Promise<ReplayReport> => {
  const module = await modules.get(request.module, signal);
  const early = misfit(request, module);
  if (early) return { compatible: false, entries: request.journal.length, steps: 0, logs: [], ...early };
  const log = new StepLog();
  for (const entry of request.journal) log.add(entry);
  const outcome = await walk(log, () => guests.open(module), signal);
  return reportOf(log, outcome, module.mapStack);
};

/** Why the module is none for this journal, before anything is fed. */
const misfit = (
  { job, attempt, workflow, journal }: ReplayRequest,
  { runtime, workflows }: LoadedModule,
): Pick<ReplayReport, 'divergence' | 'failure'> | undefined => {
  if (!workflows.includes(workflow))
    return { divergence: { entry: 0, recorded: `workflow ${workflow}`, asked: `one of ${workflows.join(', ')}` } };
  const first = journal[0];
  if (first?.kind === 'started' && first.runtime !== runtime)
    return { divergence: { entry: 0, recorded: `runtime ${first.runtime}`, asked: `runtime ${runtime}` } };
  const failure = startObjection({ job, attempt, runtime, workflow, journal });
  return failure && { failure };
};

/** Takes all steps with one guest; with another one when the first was lost with its thread. */
const walk = async (
  log: StepLog,
  open: () => Pick<GuestHandle, 'step' | 'close'>,
  signal: AbortSignal,
): Promise<StepOutcome> => {
  if (log.steps === 0) return { type: 'stepped', intents: [] };
  let outcome: StepOutcome = { type: 'lost' };
  for (let tried = 0; outcome.type === 'lost' && tried < engineLimits.replayTriesMax; tried += 1) {
    if (signal.aborted) throw mvmError('CANCELLED', 'the replay was cancelled');
    const guest = open();
    const close = (): void => guest.close();
    signal.addEventListener('abort', close, { once: true });
    outcome = await guest.step((first) => log.stepsFrom(first)).finally(close);
    signal.removeEventListener('abort', close);
  }
  return outcome;
};

const reportOf = (log: StepLog, outcome: StepOutcome, mapStack: (stack: string) => string): ReplayReport => {
  const entries = log.length;
  switch (outcome.type) {
    case 'stepped':
      return { compatible: true, entries, steps: log.recordedSteps, logs: linesOf(log, log.recordedSteps) };
    case 'diverged': {
      const { index, asked } = outcome;
      const divergence = divergenceOf(log, index, asked);
      const last = linesIn(asked, { seq: divergence.entry, at: log.step(index)?.activation.now ?? 0 });
      return { compatible: false, entries, steps: index, divergence, logs: cut([...linesOf(log, index), ...last]) };
    }
    case 'faulted':
      return faultReport(log, faultFailure(outcome.facts, mapStack));
    case 'lost':
      throw mvmError('INTERNAL', 'the replay was given up: its guest was lost with its thread again and again');
  }
};

/** A fault in the step that the attempt ended in is what was recorded; any other is not. Which step it was isn't known. */
const faultReport = (log: StepLog, failure: Failure): ReplayReport => {
  const { last, length: entries } = log;
  const isRecorded = log.hasTail && last?.kind === 'failed' && last.code === failure.code;
  const steps = isRecorded ? log.recordedSteps : 0;
  return { compatible: isRecorded, entries, steps, ...(!isRecorded && { failure }), logs: linesOf(log, steps) };
};

const linesOf = (log: StepLog, steps: number): readonly ReplayedLine[] => {
  const lines: ReplayedLine[] = [];
  for (let index = steps - 1; index >= 0 && lines.length < engineLimits.replayLogLinesMax; index -= 1) {
    const step = log.step(index);
    if (step) lines.push(...linesIn(step.recorded ?? [], { seq: step.entry, at: step.activation.now }).toReversed());
  }
  return cut(lines.toReversed());
};

const linesIn = (
  intents: readonly Intent[],
  place: { readonly seq: number; readonly at: number },
): readonly ReplayedLine[] =>
  intents.filter((intent) => intent.type === 'log').map(({ level, text }) => ({ ...place, level, text }));

const cut = (lines: readonly ReplayedLine[]): readonly ReplayedLine[] => lines.slice(-engineLimits.replayLogLinesMax);
