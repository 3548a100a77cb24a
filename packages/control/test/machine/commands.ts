/** Commands with the parts filled in that a test does not care about. */
import {
  chainHash,
  chainStart,
  defaultBackoff,
  encodeEntry,
  encodeModule,
  moduleHash,
  type AppendItem,
  type FinishOutcome,
  type JournalBatch,
} from '@mvm-ci/protocol';
import type {
  AppendCommand,
  ClaimCommand,
  DeployCommand,
  FinishCommand,
  PublishCommand,
} from '../../src/machine/command.ts';
import { contentHash } from '../../src/queue/content-hash.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';

/** Deploys a module `crawler@1` with the workflow `main`. */
export const deployCrawler = (at: number): DeployCommand => {
  const file = encodeModule({
    kind: 'javascript',
    runtime: 'test',
    workflows: ['main'],
    code: new Uint8Array(),
    sourceMap: new Uint8Array(),
  });
  const hash = moduleHash(file);
  return {
    type: 'deploy',
    at,
    name: 'crawler',
    version: '1',
    hash,
    kind: 'javascript',
    runtime: 'test',
    workflows: ['main'],
    file,
  };
};

/** Publishes runs of the crawler. */
export const publishRuns = (at: number, ids: readonly string[], attemptsMax = 1): PublishCommand => {
  const content = {
    reference: 'crawler',
    input: '{"url":"http://example.test/"}',
    attemptsMax,
    backoff: defaultBackoff,
  };
  const hash = contentHash(content);
  return { type: 'publish', at, jobs: ids.map((id) => ({ id, ...content, hash })), pendingJobsMax: 1_000_000 };
};

/** Claims for a worker. */
export const claimRuns = (at: number, worker: string, capacity: number): ClaimCommand => ({
  type: 'claim',
  at,
  worker,
  incarnation: 'i1',
  capacity,
});

/** Where a batch goes. */
export interface BatchPlace {
  readonly job: string;
  readonly attempt: number;
  readonly firstSeq: number;
  readonly previous?: Uint8Array | undefined;
}

/** A batch of one entry that follows from `previous`. */
export const oneEntryBatch = (place: BatchPlace, text: string): JournalBatch => {
  const bytes = encodeEntry({ kind: 'intents', intents: [{ type: 'log', level: 'info', text }] });
  const body = { firstSeq: place.firstSeq, count: 1, bytes };
  return { ...body, hash: chainHash(place.previous ?? chainStart(place.job, place.attempt), body) };
};

/** Appends for a worker. */
export const append = (at: number, worker: string, appends: readonly AppendItem[]): AppendCommand => ({
  type: 'append',
  at,
  worker,
  appends,
});

/** What a worker finishes. */
export interface Finished {
  readonly job: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly outcome: FinishOutcome;
  readonly append?: JournalBatch | undefined;
}

/** Finishes for a worker. */
export const finish = (at: number, worker: string, items: readonly Finished[]): FinishCommand => ({
  type: 'finish',
  at,
  worker,
  jitter: 0.5,
  finishes: items.map((item) => ({ ...item, outcomeHash: outcomeHash(item.outcome) })),
});
