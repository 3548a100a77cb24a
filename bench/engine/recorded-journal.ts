/** Journals of the `sequence` workflow as a run would have left them, made without one. */
import { guestRuntime } from '@mvm-ci/engine';
import type { FetchIntent, JournalEntry } from '@mvm-ci/protocol';
import { emptyResponse } from '../bench-engine.ts';
import type { BenchModule } from '../guest/modules.ts';
import { workflows } from '../guest/workflows.ts';

const startedAt = 1_760_000_000_000;

/** Whose journal it is. */
export interface RecordedRun {
  readonly job: string;
  readonly module: BenchModule;
  readonly kind: 'core' | 'javascript';
  /** Requests that were answered. */
  readonly effects: number;
  /** Requests that the workflow will not have asked for then. @default 0 */
  readonly more?: number;
}

/** The entries up to the answer to the last of those requests. */
export const recordedJournal = ({ job, module, kind, effects, more = 0 }: RecordedRun): readonly JournalEntry[] => {
  const entries: JournalEntry[] = [
    {
      kind: 'started',
      at: startedAt,
      job,
      attempt: 1,
      module: module.hash,
      runtime: kind === 'core' ? '' : guestRuntime,
      workflow: workflows.sequence,
      input: String(effects + more),
      seed: new Uint8Array(32).fill(7),
    },
  ];
  for (let call = 1; call <= effects; call += 1) {
    entries.push({ kind: 'intents', intents: [requestOf(kind, call)] });
    entries.push({
      kind: 'answered',
      at: startedAt + call,
      call,
      answer: { type: 'fetched', response: emptyResponse },
    });
  }
  return entries;
};

const requestOf = (kind: RecordedRun['kind'], call: number): FetchIntent => ({
  type: 'fetch',
  call,
  method: 'GET',
  url: 'http://effect.invalid/',
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: kind === 'core' ? 60_000 : 120_000,
  idempotent: null,
  key: null,
});
