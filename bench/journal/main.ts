/** One job with a million journal entries: written live to SQLite, read back, resumed on a fresh engine, replayed. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { SqliteJournals, type ReplayReport } from '@mvm-ci/engine';
import type { JournalEntry } from '@mvm-ci/protocol';
import { openBenchEngine } from '../bench-engine.ts';
import { recordedJournal } from '../engine/recorded-journal.ts';
import { secondsOf } from '../engine/single-run.ts';
import { buildCoreModule, buildScriptModule, type BenchModule } from '../guest/modules.ts';
import { workflows } from '../guest/workflows.ts';
import { timed } from '../lanes.ts';
import type { Figure, Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { journalSizes } from './size.ts';

const syncMs = 300;
const job = 'million';
const mib = 1_048_576;

const measure = async (context: BenchContext): Promise<Report> => {
  const { load, folder, say, signal } = context;
  const { effects } = journalSizes[load];
  const modules = { core: await buildCoreModule(), script: await buildScriptModule() };
  const path = join(folder, 'journals.db');
  const syncsAtStart = measureSyncs(folder, syncMs);
  say(`${2 * effects} entries, live`);
  const liveS = await runLive(path, modules.core, { effects, signal });
  const storedMib = statSync(path).size / mib;
  signal.throwIfAborted();
  say('read back, and resumed');
  const { entries, readS, resumeS } = await readAndResume(path, modules.core, { effects, signal });
  signal.throwIfAborted();
  say('replayed');
  const core = await replayed(modules.core, entries, signal);
  const script = await replayed(
    modules.script,
    recordedJournal({ job, module: modules.script, kind: 'javascript', effects }),
    signal,
  );
  return {
    bench: 'journal',
    metrics: [
      { name: 'entries', value: entries.length, what: 'in the journal of the one job' },
      perS(
        'live_entries_per_s',
        entries.length / liveS,
        'written by a core guest, one request after the other, each synced before it starts',
      ),
      { name: 'stored_mib', value: storedMib, what: 'the SQLite file' },
      perS('read_entries_per_s', entries.length / readS, 'read back from the file and decoded'),
      {
        name: 'resume_s',
        value: resumeS,
        what: 'a fresh engine, from the entries in memory without the last two to the synced end',
      },
      perS('replay_core_entries_per_s', core.perS, 'replayed by a core guest, with what it asks for compared'),
      perS('replay_ts_entries_per_s', script.perS, 'the same by a TypeScript guest'),
      {
        name: 'rss_mib',
        value: process.resourceUsage().maxRSS / 1_024,
        what: 'the most memory that the process of the bench had',
      },
    ],
    bounds: [syncBound(syncsAtStart, measureSyncs(folder, syncMs))],
    lost: 0,
    duplicated: 0,
    objection: [core.report, script.report].every(({ compatible }) => compatible) ? undefined : 'a replay diverged',
  };
};

const perS = (name: string, value: number, what: string): Figure => ({ name, value, what });

const requestOf = ({ hash }: BenchModule, effects: number) =>
  ({ job, module: hash, workflow: workflows.sequence, input: String(effects) }) as const;

interface Work {
  readonly effects: number;
  readonly signal: AbortSignal;
}

/** An engine that ends with all that runs in it when `signal` fires. */
const openEngine = async (module: BenchModule, signal: AbortSignal): ReturnType<typeof openBenchEngine> => {
  const engine = await openBenchEngine([module]);
  signal.addEventListener('abort', () => void engine.stop(), { once: true });
  return engine;
};

const runLive = async (path: string, module: BenchModule, { effects, signal }: Work): Promise<number> => {
  await using engine = await openEngine(module, signal);
  await using journals = new SqliteJournals(path);
  const { sink } = await journals.hold(job, 1);
  return await secondsOf(engine, { ...requestOf(module, effects), sink });
};

const readAndResume = async (
  path: string,
  module: BenchModule,
  { effects, signal }: Work,
): Promise<{ readonly entries: readonly JournalEntry[]; readonly readS: number; readonly resumeS: number }> => {
  await using engine = await openEngine(module, signal);
  await using journals = new SqliteJournals(path);
  let entries: readonly JournalEntry[] = [];
  const readS = await timed(async () => {
    ({ entries } = await journals.hold(job, 1));
  });
  const { sink } = await journals.hold('resumed', 1);
  const journal = entries.slice(0, -2);
  const resumeS = await secondsOf(engine, { ...requestOf(module, effects), sink, journal });
  return { entries, readS, resumeS };
};

const replayed = async (
  module: BenchModule,
  journal: readonly JournalEntry[],
  signal: AbortSignal,
): Promise<{ readonly report: ReplayReport; readonly perS: number }> => {
  await using engine = await openEngine(module, signal);
  const startMs = performance.now();
  const report = await engine.replay({ job, attempt: 1, module: module.hash, workflow: workflows.sequence, journal });
  return { report, perS: (report.entries * 1_000) / (performance.now() - startMs) };
};

await runBench(measure);
