import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  chainHash,
  chainStart,
  encodeEntry,
  mvmError,
  snapshotSeal,
  type Errand,
  type ErrandRequest,
  type JournalBatch,
  type JournalBatches,
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
  errandJournal(part: { readonly errand: string; readonly from: number }): Promise<JournalBatches>;
  readonly said: readonly ErrandRequest[];
  readonly through: Promise<void>;
}

/** Gives out `errands`, and resolves `through` when somebody was told that there are no more. */
const desk = (errands: Errand[], parts: readonly JournalBatches[] = []): Desk => {
  const said: ErrandRequest[] = [];
  const through = Promise.withResolvers<void>();
  const errand = (request: ErrandRequest): Promise<{ errand: Errand | null }> => {
    said.push(request);
    const next = errands.shift() ?? null;
    if (!next) through.resolve();
    return Promise.resolve({ errand: next });
  };
  const errandJournal: Desk['errandJournal'] = ({ errand: id, from }) => {
    const part = parts.find(({ batches }) => batches.some(({ firstSeq }) => firstSeq === from));
    return part ? Promise.resolve(part) : Promise.reject(mvmError('INVALID_TRANSITION', `nobody waits for "${id}"`));
  };
  return { errand, errandJournal, said, through: through.promise };
};

const noQuery: Replayer['query'] = () => Promise.reject(mvmError('INTERNAL', 'nobody asked'));
const report = { compatible: true, entries: 1, steps: 1, logs: [] };

suite('an errand runner', () => {
  test('takes no errand while there is nobody who replays', async () => {
    const controlPlane = desk([errandOf('a')]);
    const there: Replayer[] = [];
    const signal = new AbortController().signal;
    const runner = new ErrandRunner({ controlPlane, replayer: () => there[0], logger, signal });
    runner.wake();
    await Promise.resolve();
    assert.deepEqual(controlPlane.said, []);
    there.push({ query: noQuery, replay: () => Promise.resolve(report) });
    runner.wake();
    await controlPlane.through;
    assert.equal(controlPlane.said.length, 2);
  });

  test('replays one journal after the other until there are none, and says what came of each', async () => {
    const controlPlane = desk([errandOf('a'), errandOf('b')]);
    let running = 0;
    const replayer: Replayer = {
      query: noQuery,
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
    const runner = new ErrandRunner({
      controlPlane,
      replayer: () => replayer,
      logger,
      signal: new AbortController().signal,
    });
    runner.wake();
    runner.wake();
    await controlPlane.through;
    const verdict = { compatible: true, entries: 1, steps: 1 };
    const divergence = { entry: 0, recorded: 'x', asked: 'y' };
    assert.deepEqual(controlPlane.said, [
      { done: undefined, readsParts: true },
      { done: { id: 'errand-a', outcome: { verdict } }, readsParts: true },
      {
        done: { id: 'errand-b', outcome: { verdict: { ...verdict, compatible: false, divergence } } },
        readsParts: true,
      },
    ]);
  });

  test('reads a journal that comes in parts to its end, past batches that come twice, and leaves a snapshot of another one aside', async () => {
    const batches = [batchOf('a')];
    while (batches.length < 5) {
      const [last] = batches.slice(-1);
      const batch = { firstSeq: batches.length, count: 1, bytes: entry };
      batches.push({ ...batch, hash: chainHash(last?.hash ?? new Uint8Array(), batch) });
    }
    const parts = [
      { attempt: 1, module: 'm', batches: batches.slice(2, 4), next: 4 },
      { attempt: 1, module: 'm', batches: batches.slice(3), next: null },
    ];
    const state = { entries: 2, runtime: 'r', imageHash: 'i', bytes: new Uint8Array(1) };
    const seal = (index: number): Uint8Array => snapshotSeal(batches[index]?.hash ?? new Uint8Array(), state);
    const whole = { ...errandOf('a', batches.slice(0, 2)), next: 2, query: { name: 'q', args: 'null' } };
    const controlPlane = desk(
      [1, 2].map((index) => ({ ...whole, snapshot: { ...state, seal: seal(index) } })),
      parts,
    );
    const asked: (readonly [entries: number, snapshot: number | undefined])[] = [];
    const replayer: Replayer = {
      replay: () => Promise.resolve(report),
      query: ({ journal, snapshot }) => {
        asked.push([journal.length, snapshot?.entries]);
        return Promise.resolve('1');
      },
    };
    new ErrandRunner({ controlPlane, replayer: () => replayer, logger, signal: new AbortController().signal }).wake();
    await controlPlane.through;
    assert.deepEqual(asked, [
      [5, 2],
      [5, undefined],
    ]);
  });

  test('says why there is no verdict: a damaged journal, a module that is not to be had', async () => {
    const damaged = { ...batchOf('a'), hash: new Uint8Array(32) };
    const controlPlane = desk([errandOf('a', [damaged]), errandOf('b')]);
    const replayer: Replayer = { query: noQuery, replay: () => Promise.reject(mvmError('MODULE_NOT_FOUND', 'gone')) };
    new ErrandRunner({ controlPlane, replayer: () => replayer, logger, signal: new AbortController().signal }).wake();
    await controlPlane.through;
    const codes = controlPlane.said.map(({ done }) => (done && 'error' in done.outcome ? done.outcome.error.code : ''));
    assert.deepEqual(codes, ['', 'JOURNAL_CORRUPT', 'MODULE_NOT_FOUND']);
  });

  test('asks a workflow when the errand is a query, and gives its answer or its error', async () => {
    const query = { name: 'pages', args: '{"n":1}' };
    const controlPlane = desk([
      { ...errandOf('a'), query },
      { ...errandOf('b'), query },
    ]);
    const replayer: Replayer = {
      replay: () => Promise.reject(mvmError('INTERNAL', 'nobody wants a verdict')),
      query: ({ job, name, args }) =>
        job === 'a' ? Promise.resolve(`["${name}",${args}]`) : Promise.reject(mvmError('QUERY_NOT_FOUND', 'none')),
    };
    new ErrandRunner({ controlPlane, replayer: () => replayer, logger, signal: new AbortController().signal }).wake();
    await controlPlane.through;
    assert.deepEqual(controlPlane.said, [
      { done: undefined, readsParts: true },
      { done: { id: 'errand-a', outcome: { answer: '["pages",{"n":1}]' } }, readsParts: true },
      { done: { id: 'errand-b', outcome: { error: { code: 'QUERY_NOT_FOUND', message: 'none' } } }, readsParts: true },
    ]);
  });

  test('takes nothing when the worker claims nothing more', () => {
    const controlPlane = desk([errandOf('a')]);
    const replayer: Replayer = { query: noQuery, replay: () => Promise.resolve(report) };
    new ErrandRunner({ controlPlane, replayer: () => replayer, logger, signal: AbortSignal.abort() }).wake();
    assert.deepEqual(controlPlane.said, []);
  });
});
