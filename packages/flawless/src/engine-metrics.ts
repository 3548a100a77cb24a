/** What an engine server tells of itself to Prometheus; it counts nothing by itself. `docs/reference/metrics.md` lists it. */
import { addEffects, addEngine, MetricSet, type EffectCounts, type EngineCounts } from '@mvm-ci/metrics';
import { jobStates, type EngineStatus } from '@mvm-ci/protocol';
import type { OwnJobs } from './own-jobs.ts';

/** Where the values come from. */
export interface EngineMetricsParts {
  readonly status: () => EngineStatus;
  /** Links that are open. */
  readonly links: () => number;
  /** What became of effects. @default nobody counts them */
  readonly effects?: (() => EffectCounts) | undefined;
  /** How its engine does. @default nobody says */
  readonly engine?: (() => EngineCounts) | undefined;
  /** @default it has no jobs of its own */
  readonly jobs?: Pick<OwnJobs, 'stats' | 'journalCounts' | 'workCounts'> | undefined;
}

/** Makes the metrics of an engine server. */
export const engineMetrics = ({ status, links, effects, engine, jobs }: EngineMetricsParts): MetricSet => {
  const set = new MetricSet();
  set.gauge('mvm_ci_engine_runs', 'Runs of workers elsewhere that have a place here.', () => status().runs);
  set.gauge('mvm_ci_engine_runs_max', 'Such runs that are allowed at the same time.', () => status().runsMax);
  set.gauge('mvm_ci_engine_links', 'Links of workers that are open.', links);
  set.gauge('mvm_ci_engine_ready', '1 while runs are taken, 0 while the server ends.', () => Number(status().ready));
  if (effects) addEffects(set, effects);
  if (engine) addEngine(set, engine);
  if (jobs) addJobs(set, jobs);
  return set;
};

const addJobs = (set: MetricSet, jobs: NonNullable<EngineMetricsParts['jobs']>): void => {
  const journal = (name: string, help: string, read: (counts: OwnJobs['journalCounts']) => number): void =>
    set.counter(`mvm_ci_journal_${name}_total`, help, () => read(jobs.journalCounts));
  journal('entries', 'Entries added to journals.', ({ entries }) => entries);
  journal('bytes', 'Bytes added to journals.', ({ bytes }) => bytes);
  journal('commits', 'Additions to journals that were stored and synced.', ({ commits }) => commits);
  journal('commit_seconds', 'Time until they were.', ({ seconds }) => seconds);
  set.gauge('mvm_ci_jobs_running', 'Jobs of its own that run now.', () => jobs.workCounts.running);
  set.counter('mvm_ci_jobs_claimed_total', 'Times that a job began or went on.', () => jobs.workCounts.claimed);
  set.counter('mvm_ci_jobs_resumed_total', 'Times that one went on.', () => jobs.workCounts.resumed);
  set.gauges({ name: 'mvm_ci_jobs', help: 'Jobs of its own, by state.', labels: ['state'] }, async () => {
    const stats = await jobs.stats();
    return jobStates.map((state) => [{ state }, stats[state]]);
  });
};
