/** Durable workflows of three effects: how many a second an engine runs, and how long one takes, alone and in a cluster. */
import { join } from 'node:path';
import { SqliteJournals } from '@mvm-ci/engine';
import { openBenchEngine } from '../bench-engine.ts';
import { buildCoreModule, buildScriptModule, type BenchModule } from '../guest/modules.ts';
import type { Amount } from '../lanes.ts';
import { percentile } from '../percentile.ts';
import type { Figure, Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { addVerdicts, Tally, type Verdict } from '../tally.ts';
import { measureClusterLatency } from './cluster-latency.ts';
import { measureRuns, readCompletedRuns, type RunsOptions } from './engine-runs.ts';
import { workflowSizes } from './size.ts';

const inFlight = 64;
// The compilers of V8 are at work until then.
const warmUps = 2_000;

const measure = async (context: BenchContext): Promise<Report> => {
  const { load, folder, signal, say } = context;
  const size = workflowSizes[load];
  say('the disk alone');
  const syncsAtStart = measureSyncs(folder, size.syncMs);
  const engine = await measureEngine(context);
  say('three effects in a cluster at rest');
  const cluster = await measureClusterLatency(folder, { count: size.cluster, msMax: size.figureMsMax }, signal);
  const syncs = syncBound(syncsAtStart, measureSyncs(folder, size.syncMs));
  return {
    bench: 'workflow',
    metrics: [
      ...engine.figures,
      {
        name: 'cluster_three_effect_idle_p50_ms',
        value: percentile(cluster.waitsMs, 0.5),
        what: 'from publish to completed seen, both over HTTP; run by a worker over iroh, effects are HTTP requests to this machine',
      },
    ],
    bounds: [syncs],
    ...addVerdicts(engine.verdict, cluster.verdict),
  };
};

interface EngineFigures {
  readonly figures: readonly Figure[];
  readonly verdict: Verdict;
}

const measureEngine = async (context: BenchContext): Promise<EngineFigures> => {
  const modules = { core: await buildCoreModule(), script: await buildScriptModule() };
  await using journals = new SqliteJournals(join(context.folder, 'journals.db'));
  await using engine = await openBenchEngine(Object.values(modules));
  const tally = new Tally();
  const figures = await measureThreeEffects(context, modules, { engine, journals, tally, signal: context.signal });
  context.say('reading all journals back');
  const completed = await readCompletedRuns(journals, tally);
  return { figures, verdict: tally.judge(completed) };
};

type Shared = Pick<RunsOptions, 'engine' | 'journals' | 'tally' | 'signal'>;

const measureThreeEffects = async (
  { load, say }: BenchContext,
  { core, script }: { readonly core: BenchModule; readonly script: BenchModule },
  shared: Shared,
): Promise<readonly Figure[]> => {
  const size = workflowSizes[load];
  const amount = (count: number): Amount => ({ count, msMax: size.figureMsMax });
  const busy = async (module: BenchModule, executions: number): Promise<number> => {
    say(`three effects in ${module.name}, ${inFlight} at a time`);
    const options = { ...shared, module, lanes: inFlight };
    await measureRuns({ ...options, prefix: `warm-${module.name}`, executions: amount(Math.min(executions, warmUps)) });
    return (await measureRuns({ ...options, prefix: module.name, executions: amount(executions) })).perSecond;
  };
  const coreRate = await busy(core, size.core);
  const scriptRate = await busy(script, size.script);
  say('three effects in an engine at rest');
  const { waitsMs } = await measureRuns({
    ...shared,
    module: script,
    prefix: 'idle',
    executions: amount(size.idle),
    lanes: 1,
  });
  return figuresOf({ coreRate, scriptRate, waitsMs });
};

interface Found {
  readonly coreRate: number;
  readonly scriptRate: number;
  readonly waitsMs: readonly number[];
}

const figuresOf = ({ coreRate, scriptRate, waitsMs }: Found): readonly Figure[] => {
  const many = `durable executions of three effects on a SQLite journal, ${inFlight} at a time, by a`;
  const one =
    'one durable execution of three effects, in TypeScript, in an engine at rest, from start to durable completion:';
  return [
    { name: 'three_effect_core_per_s', value: coreRate, what: `${many} core guest`, bound: 'sync_per_s' },
    { name: 'three_effect_ts_per_s', value: scriptRate, what: `${many} TypeScript guest`, bound: 'sync_per_s' },
    { name: 'three_effect_idle_p50_ms', value: percentile(waitsMs, 0.5), what: `${one} half of them within` },
    { name: 'three_effect_idle_p99_ms', value: percentile(waitsMs, 0.99), what: `${one} 99 of 100 within` },
  ];
};

await runBench(measure);
