/**
 * What one process tells of itself to Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). Values are read
 * when they are asked for; only histograms are kept here. Each set has values of its own, so that two servers in one process
 * don't mix theirs.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** A value with its labels. */
export type Sample<L extends string> = readonly [labels: Readonly<Record<L, string>>, value: number];

/** A name, by the conventions of https://prometheus.io/docs/practices/naming/, and what it is, in a sentence. */
export interface Reading<L extends string> {
  readonly name: string;
  readonly help: string;
  /** Labels of all its samples. @default none */
  readonly labels?: readonly L[];
}

/** Notes a value in a histogram. */
export type Observe<L extends string> = (value: number, labels?: Readonly<Record<L, string>>) => void;

/** From half a millisecond to a minute, for durations in seconds. */
export const secondsBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

// Gauges that are named as counters, which Prometheus' conventions forbid; the same without the ending are there as well.
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** See the head of this file. */
export class MetricSet {
  readonly #registry = new Registry();

  /** Begins with what Node tells of the process: CPU, memory, garbage collection, and the delay of its event loop. */
  constructor() {
    collectDefaultMetrics({ register: this.#registry, prefix: 'mvm_ci_' });
    for (const name of misnamed) this.#registry.removeSingleMetric(`mvm_ci_${name}`);
  }

  /** The content type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All values. Rejects with what a `read` throws. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** A value that goes up and down. */
  gauge(name: string, help: string, read: () => number): void {
    this.gauges({ name, help }, () => [[{}, read()]]);
  }

  /** The same by labels. Samples that are not read again are gone. */
  gauges<L extends string>(reading: Reading<L>, read: () => Iterable<Sample<L>> | Promise<Iterable<Sample<L>>>): void {
    const gauge: Gauge = new Gauge({
      ...this.#head(reading),
      collect: async () => {
        const samples = await read();
        gauge.reset();
        for (const [labels, value] of samples) gauge.set(labels, value);
      },
    });
  }

  /** A value that only grows, and is counted elsewhere. */
  counter(name: string, help: string, read: () => number): void {
    this.counters({ name, help }, () => [[{}, read()]]);
  }

  /** The same by labels. */
  counters<L extends string>(reading: Reading<L>, read: () => Iterable<Sample<L>>): void {
    const counter: Counter = new Counter({
      ...this.#head(reading),
      collect: () => {
        counter.reset();
        for (const [labels, value] of read()) counter.inc(labels, value);
      },
    });
  }

  /** How values are distributed. @param buckets upper bounds, ascending; @default secondsBuckets */
  histogram<L extends string = never>(reading: Reading<L>, buckets: readonly number[] = secondsBuckets): Observe<L> {
    const histogram = new Histogram({ ...this.#head(reading), buckets: [...buckets] });
    return (value, labels) => {
      if (labels === undefined) histogram.observe(value);
      else histogram.observe(labels, value);
    };
  }

  #head<L extends string>({
    name,
    help,
    labels = [],
  }: Reading<L>): {
    readonly name: string;
    readonly help: string;
    readonly labelNames: string[];
    readonly registers: [Registry];
  } {
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}
