import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  chainHash,
  chainStart,
  encodeEntry,
  mvmError,
  type Errand,
  type ErrandRequest,
  type JournalBatch,
} from '@mvm-ci/protocol';
import type { Replayer } from '@mvm-ci/engine';
import { ErrandRunner } from '../src/errand-runner.ts';

const entry = encodeEntry({ kind: 'intents', intents: [] });
const batchOf = (job: string): JournalBatch => {
  const batch = { firstSeq: 0, count: 1, bytes: entry };
  return { ...batch, hash: chainHash(chainStart(job, 1), batch) };
};
const errandOf = (job: string, batches: readonly JournalBatch[] = [batchOf(job)]): Errand => ({
  id: `errand-${job}`,
  job,
  attempt: 1,
  module: 'm',
  workflow: 'main',
  batches,
});
const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

interface Desk {
  errand(request: ErrandRequest): Promise<{ readonly errand: Errand | null }>;
  readonly said: readonly ErrandRequest[];
  readonly through: Promise<void>;
}

/** Gives out `errands`, and resolves `through` when somebody was told that there are no more. */
const desk = (errands: Errand[]): Desk => {
  const said: ErrandRequest[] = [];
  const through = Promise.withResolvers<void>();
  const errand = (request: ErrandRequest): Promise<{ errand: Errand | null }> => {
    said.push(request);
    const next = errands.shift() ?? null;
    if (!next) through.resolve();
    return Promise.resolve({ errand: next });
  };
  return { errand, said, through: through.promise };
};

const report = { compatible: true, entries: 1, steps: 1, logs: [] };

suite('an errand runner', () => {
  test('replays one journal after the other until there are none, and says what came of each', async () => {
    const controlPlane = desk([errandOf('a'), errandOf('b')]);
    let running = 0;
    const replayer: Replayer = {
      replay: async ({ job }) => {
        running += 1;
        assert.equal(running, 1);
        await Promise.resolve();
        running -= 1;
        return job === 'a'
          ? report
          : { ...report, compatible: false, divergence: { entry: 0, recorded: 'x', asked: 'y' } };
      },
    };
    const runner = new ErrandRunner({ controlPlane, replayer, logger, signal: new AbortController().signal });
    runner.wake();
    runner.wake();
    await controlPlane.through;
    const verdict = { compatible: true, entries: 1, steps: 1 };
    const divergence = { entry: 0, recorded: 'x', asked: 'y' };
    assert.deepEqual(controlPlane.said, [
      { done: undefined },
      { done: { id: 'errand-a', outcome: { verdict } } },
      { done: { id: 'errand-b', outcome: { verdict: { ...verdict, compatible: false, divergence } } } },
    ]);
  });

  test('says why there is no verdict: a damaged journal, a module that is not to be had', async () => {
    const damaged = { ...batchOf('a'), hash: new Uint8Array(32) };
    const controlPlane = desk([errandOf('a', [damaged]), errandOf('b')]);
    const replayer: Replayer = { replay: () => Promise.reject(mvmError('MODULE_NOT_FOUND', 'gone')) };
    new ErrandRunner({ controlPlane, replayer, logger, signal: new AbortController().signal }).wake();
    await controlPlane.through;
    const codes = controlPlane.said.map(({ done }) => (done && 'error' in done.outcome ? done.outcome.error.code : ''));
    assert.deepEqual(codes, ['', 'JOURNAL_CORRUPT', 'MODULE_NOT_FOUND']);
  });

  test('takes nothing when the worker claims nothing more', () => {
    const controlPlane = desk([errandOf('a')]);
    const replayer: Replayer = { replay: () => Promise.resolve(report) };
    new ErrandRunner({ controlPlane, replayer, logger, signal: AbortSignal.abort() }).wake();
    assert.deepEqual(controlPlane.said, []);
  });
});
