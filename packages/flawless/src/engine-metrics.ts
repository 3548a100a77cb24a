/**
 * What an engine server tells of itself to Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). Values are
 * read when they are asked for; it counts nothing by itself. `docs/reference/engine-server.md` lists them.
 */
import { jobStates, type EngineStatus, type QueueStats } from '@mvm-ci/protocol';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Where the values come from. */
export interface EngineMetricsParts {
  readonly status: () => EngineStatus;
  /** Links that are open. */
  readonly links: () => number;
  /** @default it has no jobs of its own */
  readonly jobs?: (() => Promise<QueueStats>) | undefined;
}

/** See the head of this file. */
export class EngineMetrics {
  readonly contentType: string;
  readonly #registry = new Registry();

  constructor({ status, links, jobs }: EngineMetricsParts) {
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry, prefix: 'mvm_ci_' });
    this.#gauge('mvm_ci_engine_runs', 'Runs of workers elsewhere that have a place here.', () => status().runs);
    this.#gauge('mvm_ci_engine_runs_max', 'Such runs that are allowed at the same time.', () => status().runsMax);
    this.#gauge('mvm_ci_engine_links', 'Links of workers that are open.', links);
    this.#gauge('mvm_ci_engine_ready', '1 while runs are taken, 0 while the server ends.', () =>
      Number(status().ready),
    );
    if (jobs) this.#jobsByState(jobs);
  }

  /** All values as text. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#registry];
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(read()) });
  }

  #jobsByState(jobs: () => Promise<QueueStats>): void {
    const gauge: Gauge<'state'> = new Gauge({
      name: 'mvm_ci_jobs',
      help: 'Jobs of its own, by state.',
      labelNames: ['state'],
      registers: [this.#registry],
      collect: async () => {
        const stats = await jobs();
        for (const state of jobStates) gauge.set({ state }, stats[state]);
      },
    });
  }
}
