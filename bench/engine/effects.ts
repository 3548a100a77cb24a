/** Effects of a core guest: recorded ones that are replayed, from memory and from disk, and live ones. */
import { join } from 'node:path';
import { MemoryJournal, SqliteJournals, type Engine, type Snapshot } from '@mvm-ci/engine';
import { openBenchEngine } from '../bench-engine.ts';
import type { BenchModule } from '../guest/modules.ts';
import { windowWorkflow, workflows } from '../guest/workflows.ts';
import type { Figure } from '../report.ts';
import type { BenchContext } from '../run-bench.ts';
import { bareStepUs } from './bare-guest.ts';
import { recordedJournal } from './recorded-journal.ts';
import { bestOf, type Figures } from './rounds.ts';
import { secondsOf } from './single-run.ts';
import { StoredSnapshot } from './stored-snapshot.ts';
import type { EngineSize } from './size.ts';

/** Measures them. */
export const measureEffects = async (
  { folder, say, signal }: BenchContext,
  size: EngineSize,
  module: BenchModule,
): Promise<Figures> => {
  await using engine = await openBenchEngine([module]);
  const live = { module: module.hash, workflow: windowWorkflow, input: String(size.effects) };
  const replayed = { ...live, workflow: workflows.sequence };
  const journal = recordedJournal({ job: 'replayed', module, kind: 'core', effects: size.effects });
  say(`${size.effects} effects, recorded and live`);
  const replayS = await bestOf(size.rounds, () => secondsOf(engine, { ...replayed, job: 'replayed', journal }));
  signal.throwIfAborted();
  const liveS = await bestOf(size.rounds, (round) => secondsOf(engine, { ...live, job: `live-${round}` }));
  signal.throwIfAborted();
  say(`${size.resumed} entries, from disk`);
  const resumeS = await measureResume(engine, join(folder, 'journals.db'), { size, module });
  const each = 1e6 / size.effects;
  return {
    metrics: [
      {
        name: 'replay_entry_us',
        value: replayS * each,
        what: 'each effect that a core guest is told again, with what it asks for compared; in memory',
        bound: 'bare_step_us',
      },
      {
        name: 'live_entry_us',
        value: liveS * each,
        what: 'each effect of a core guest that keeps 100 in flight; journal in memory',
        bound: 'bare_step_us',
      },
      {
        name: 'resume_100k_s',
        value: resumeS,
        what: `a core guest with a journal of ${size.resumed} entries, from taking hold of it on disk to its synced end`,
      },
    ],
    bounds: [
      {
        name: 'bare_step_us',
        value: bareStepUs(module, size.effects),
        what: 'one step of the same guest, called by hand, with an answer copied in and a request copied out',
      },
    ],
  };
};

const measureResume = async (
  engine: Engine,
  path: string,
  { size, module }: { readonly size: EngineSize; readonly module: BenchModule },
): Promise<number> => {
  const effects = size.resumed / 2;
  await using journals = new SqliteJournals(path);
  return await bestOf(size.rounds, async (round) => {
    const job = `resumed-${round}`;
    const recorded = await journals.hold(job, 1);
    const entries = recordedJournal({ job, module, kind: 'core', effects });
    // As a run leaves them: what a step asked for, and the answer before it, are one batch.
    for (let at = 0; at < entries.length; at += 2) void recorded.sink.append(entries.slice(at, at + 2));
    await recorded.sink.append([]);
    const startMs = performance.now();
    const { sink, entries: journal } = await journals.hold(job, 1);
    const request = { job, module: module.hash, workflow: workflows.sequence, input: String(effects) };
    await secondsOf(engine, { ...request, sink, journal });
    return (performance.now() - startMs) / 1_000;
  });
};

/** A TypeScript guest that goes on from a snapshot, with its head and without, beside the same guest that takes all its steps again. */
export const measureSnapshot = async (
  { folder, say, signal }: BenchContext,
  size: EngineSize,
  module: BenchModule,
): Promise<readonly Figure[]> => {
  say(`${size.resumed} entries, from a snapshot`);
  await using engine = await openBenchEngine([module]);
  const more = 5;
  const effects = size.resumed / 2;
  const job = 'snapshot';
  const request = { job, module: module.hash, workflow: workflows.sequence, input: String(effects + more) };
  const recorded = recordedJournal({ job, module, kind: 'javascript', effects, more });
  const journal = new MemoryJournal(recorded);
  const saved: Snapshot[] = [];
  const saveSnapshot = (snapshot: Snapshot): Promise<void> => {
    saved.push(snapshot);
    return Promise.resolve();
  };
  const replayS = await secondsOf(engine, { ...request, journal: recorded, sink: journal.hold(), saveSnapshot });
  signal.throwIfAborted();
  const [snapshot] = saved;
  if (!snapshot) throw new Error('the run should have saved a snapshot');
  const entries = journal.entries.slice(0, snapshot.entries);
  const data = join(folder, 'stored-snapshot');
  await using stored = await StoredSnapshot.open({ ...request, data, module, entries, snapshot });
  signal.throwIfAborted();
  const resume = async (tail: boolean): Promise<number> => {
    const startMs = performance.now();
    await secondsOf(engine, { ...request, ...(await stored.read(tail)) });
    return (performance.now() - startMs) / 1_000;
  };
  const resumeS = await bestOf(size.rounds, () => resume(true));
  const wholeS = await bestOf(size.rounds, () => resume(false));
  const what = `a TypeScript guest with a journal of ${size.resumed} entries, to its end, which is at most ${more} requests away:`;
  const from = `from a snapshot of ${snapshot.bytes.length} bytes in a control plane's store`;
  return [
    {
      name: 'resume_100k_snapshot_s',
      value: resumeS,
      what: `${what} ${from}, with a head of ${snapshot.head?.length ?? 0} bytes`,
    },
    { name: 'resume_100k_snapshot_whole_s', value: wholeS, what: `${what} ${from}, and all of its journal` },
    { name: 'resume_100k_ts_replay_s', value: replayS, what: `${what} by replay, from memory` },
  ];
};
