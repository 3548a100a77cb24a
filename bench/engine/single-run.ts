/** One execution, from the request to the engine to its end; anything but a completion ends the bench. */
import {
  MemoryJournal,
  type Engine,
  type JournalSink,
  type RunPorts,
  type RunRequest,
  type Snapshot,
} from '@mvm-ci/engine';
import type { JournalEntry } from '@mvm-ci/protocol';
import { timed } from '../lanes.ts';

/** What is run. */
export interface SingleRun extends Pick<RunRequest, 'job' | 'module' | 'workflow' | 'input'> {
  /** What is recorded of it already. @default nothing */
  readonly journal?: readonly JournalEntry[];
  /** @default a journal in memory */
  readonly sink?: JournalSink;
  /** What it goes on from. @default its first step */
  readonly snapshot?: Snapshot | undefined;
  /** What `journal` lacks. @default nothing */
  readonly leftOut?: RunRequest['leftOut'];
  /** @default none is kept */
  readonly saveSnapshot?: RunPorts['saveSnapshot'];
}

/** Runs it. @returns seconds */
export const secondsOf = (
  engine: Engine,
  { journal = [], sink, saveSnapshot, ...request }: SingleRun,
): Promise<number> =>
  timed(async () => {
    const ports = {
      sink: sink ?? new MemoryJournal(journal).hold(),
      mayStartEffect: () => true,
      ...(saveSnapshot && { saveSnapshot }),
    };
    const end = await engine.run({ ...request, attempt: 1, journal }, ports).ended;
    if (end.type === 'finished' && end.outcome.type === 'completed') return;
    throw new Error(`job ${request.job} should have completed, and ended so: ${JSON.stringify(end)}`);
  });
