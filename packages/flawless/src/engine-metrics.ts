/**
 * What an engine server tells of itself to Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). Values are
 * read when they are asked for; it counts nothing by itself. `docs/reference/engine-server.md` lists them.
 */
import { jobStates, type EngineStatus } from '@mvm-ci/protocol';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { EffectCounts } from './counted-effects.ts';
import type { OwnJobs } from './own-jobs.ts';

/** Where the values come from. */
export interface EngineMetricsParts {
  readonly status: () => EngineStatus;
  /** Links that are open. */
  readonly links: () => number;
  /** What became of effects. @default nobody counts them */
  readonly effects?: (() => EffectCounts) | undefined;
  /** @default it has no jobs of its own */
  readonly jobs?: Pick<OwnJobs, 'stats' | 'journalCounts' | 'workCounts'> | undefined;
}

/** See the head of this file. */
export class EngineMetrics {
  readonly contentType: string;
  readonly #registry = new Registry();

  constructor({ status, links, effects, jobs }: EngineMetricsParts) {
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry, prefix: 'mvm_ci_' });
    this.#gauge('mvm_ci_engine_runs', 'Runs of workers elsewhere that have a place here.', () => status().runs);
    this.#gauge('mvm_ci_engine_runs_max', 'Such runs that are allowed at the same time.', () => status().runsMax);
    this.#gauge('mvm_ci_engine_links', 'Links of workers that are open.', links);
    this.#gauge('mvm_ci_engine_ready', '1 while runs are taken, 0 while the server ends.', () =>
      Number(status().ready),
    );
    if (effects) this.#effects(effects);
    if (jobs) this.#jobs(jobs);
  }

  /** All values as text. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(read()) });
  }

  #counter(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    const counter: Counter = new Counter({ name, help, registers, collect: () => setTo(counter, {}, read()) });
  }

  #effects(counts: () => EffectCounts): void {
    this.#gauge('mvm_ci_effects_open', 'Requests of workflows that are under way.', () => counts().open);
    this.#counter('mvm_ci_effect_seconds_total', 'Time that requests took.', () => counts().seconds);
    const counter: Counter<'outcome'> = new Counter({
      name: 'mvm_ci_effects_total',
      help: 'Requests of workflows that are over, by what became of them.',
      labelNames: ['outcome'],
      registers: [this.#registry],
      collect: () => {
        const now = counts();
        for (const outcome of ['answered', 'failed', 'aborted'] as const) setTo(counter, { outcome }, now[outcome]);
      },
    });
  }

  #jobs(jobs: NonNullable<EngineMetricsParts['jobs']>): void {
    const journal = (name: string, help: string, read: (counts: OwnJobs['journalCounts']) => number): void =>
      this.#counter(`mvm_ci_journal_${name}_total`, help, () => read(jobs.journalCounts));
    journal('entries', 'Entries added to journals.', ({ entries }) => entries);
    journal('bytes', 'Bytes added to journals.', ({ bytes }) => bytes);
    journal('commits', 'Additions to journals that were stored and synced.', ({ commits }) => commits);
    journal('commit_seconds', 'Time until they were.', ({ seconds }) => seconds);
    this.#gauge('mvm_ci_jobs_running', 'Jobs of its own that run now.', () => jobs.workCounts.running);
    this.#counter('mvm_ci_jobs_claimed_total', 'Times that a job began or went on.', () => jobs.workCounts.claimed);
    this.#counter('mvm_ci_jobs_resumed_total', 'Times that one went on.', () => jobs.workCounts.resumed);
    const gauge: Gauge<'state'> = new Gauge({
      name: 'mvm_ci_jobs',
      help: 'Jobs of its own, by state.',
      labelNames: ['state'],
      registers: [this.#registry],
      collect: async () => {
        const stats = await jobs.stats();
        for (const state of jobStates) gauge.set({ state }, stats[state]);
      },
    });
  }
}

/** A counter that is counted elsewhere. */
const setTo = <T extends string>(counter: Counter<T>, labels: Partial<Record<T, string>>, value: number): void => {
  counter.remove(labels);
  counter.inc(labels, value);
};
