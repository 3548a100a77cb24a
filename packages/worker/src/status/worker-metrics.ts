/** What a worker tells of itself to Prometheus; it counts nothing by itself. `docs/reference/metrics.md` lists it. */
import { addEffects, addEngine, MetricSet, type EffectCounts, type Sample } from '@mvm-ci/metrics';
import type { WorkerState } from '../worker.ts';

/** Where the values come from. */
export interface WorkerMetricsParts {
  /** Undefined: it has not joined yet. */
  readonly state: () => WorkerState | undefined;
  /** What became of effects. @default nobody counts them */
  readonly effects?: (() => EffectCounts) | undefined;
}

/** Makes the metrics of a worker. */
export const workerMetrics = ({ state, effects }: WorkerMetricsParts): MetricSet => {
  const set = new MetricSet();
  const of = (name: string): string => `mvm_ci_worker_${name}`;
  set.gauge(of('ready'), '1 while it takes jobs, 0 otherwise.', () => Number(state()?.reasons.length === 0));
  set.gauge(of('slots'), 'Jobs that it runs at the same time, at most.', () => state()?.slots ?? 0);
  set.gauge(of('held_jobs'), 'Jobs that it holds.', () => state()?.held ?? 0);
  set.counter(of('claims_total'), 'Jobs that it claimed.', () => state()?.claimed ?? 0);
  set.counter(of('resumes_total'), 'Those with a journal to go on with.', () => state()?.resumed ?? 0);
  const ends = 'Jobs that it holds no longer, by how that ended.';
  set.counters({ name: of('ends_total'), help: ends, labels: ['end'] }, () =>
    Object.entries(state()?.ended ?? {}).map(([end, count]): Sample<'end'> => [{ end }, count]),
  );
  addPool(set, state);
  addEngine(set, () => state()?.engine);
  if (effects) addEffects(set, effects);
  return set;
};

const addPool = (set: MetricSet, state: WorkerMetricsParts['state']): void => {
  const of = (name: string): string => `mvm_ci_worker_pool_${name}`;
  const help = 'Engine servers of its pool: 1 for the state that each is in.';
  set.gauges({ name: of('member'), help, labels: ['url', 'state'] }, () =>
    (state()?.engines ?? []).map((engine): Sample<'url' | 'state'> => [{ url: engine.url, state: engine.state }, 1]),
  );
  const runs = 'Its runs at each engine server of its pool.';
  set.gauges({ name: of('runs'), help: runs, labels: ['url'] }, () =>
    (state()?.engines ?? []).map((engine): Sample<'url'> => [{ url: engine.url }, engine.runs]),
  );
};
