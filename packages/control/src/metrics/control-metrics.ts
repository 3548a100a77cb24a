/**
 * What a control plane tells of itself to Prometheus; `docs/reference/metrics.md` lists it.
 *
 * 1. What happened to jobs is counted from the effects of commits: a number here is never of what was refused or lost.
 * 2. Counters begin at 0 with the process; gauges are read from the store when they are asked for.
 */
import { MetricSet, type Observe, type Sample } from '@mvm-ci/metrics';
import { jobStates, type QueueStats } from '@mvm-ci/protocol';
import type { Effects } from '../machine/effects.ts';
import type { HoldEnd } from '../machine/tally.ts';
import type { QueueState } from '../store/queue-state.ts';
import type { GroupFacts } from '../store/store.ts';

/** Where the gauges come from. */
export interface MetricSources {
  readonly stats: () => Promise<QueueStats>;
  readonly queues: () => Promise<readonly QueueState[]>;
  /** Unix ms. */
  readonly nowMs: () => number;
  /** Leases that are kept. */
  readonly leases: () => number;
  /** Claims that wait for jobs. */
  readonly claimsWaiting: () => number;
  /** Round trips of the connections of nodes, in ms. */
  readonly roundTrips: () => readonly { readonly node: string; readonly rttMs: number }[];
  readonly connections: () => number;
}

/** How a call of the API went. */
export interface CallFacts {
  readonly route: string;
  /** `ok`, or the code of the refusal. */
  readonly code: string;
  readonly ms: number;
}

const groupBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

/** See the head of this file. */
export class ControlMetrics {
  readonly #set = new MetricSet();
  #scrape = 0;
  readonly #totals = { published: 0, claims: 0, resumes: 0, journalEntries: 0, journalBytes: 0 };
  readonly #ends = new Map<HoldEnd, number>();
  readonly #groups = { commands: 0, refused: 0 };
  readonly #calls = new Map<
    string,
    { readonly labels: { readonly route: string; readonly code: string }; count: number }
  >();
  readonly #waits: Observe<never>;
  readonly #attempts: Observe<never>;
  readonly #commits: Observe<never>;
  readonly #groupTimes: Observe<never>;
  readonly #groupSizes: Observe<never>;
  readonly #callTimes: Observe<'route'>;

  constructor() {
    const set = this.#set;
    const times = (name: string, help: string): Observe<never> =>
      set.histogram({ name: `mvm_ci_${name}_seconds`, help });
    this.#waits = times('job_wait', 'From when a job could run to its first claim.');
    this.#attempts = times('attempt', 'From the first claim of an attempt to its end, over all its holders.');
    this.#commits = times('store_commit', 'One commit of the store, with its sync.');
    this.#groupTimes = times('store_group', 'One group of commands, from its first to the end of its sync.');
    const sizes = { name: 'mvm_ci_store_group_commands', help: 'Commands that share a transaction and its sync.' };
    this.#groupSizes = set.histogram(sizes, groupBuckets);
    const calls = { name: 'mvm_ci_request_seconds', help: 'Calls of the API, by route; long polls wait on purpose.' };
    this.#callTimes = set.histogram({ ...calls, labels: ['route'] });
    this.#addCounters();
  }

  get contentType(): string {
    return this.#set.contentType;
  }

  text(): Promise<string> {
    this.#scrape += 1;
    return this.#set.text();
  }

  /** Counts what a commit did. */
  follow({ tally }: Effects): void {
    const totals = this.#totals;
    totals.published += tally.published;
    totals.claims += tally.claims;
    totals.resumes += tally.resumes;
    totals.journalEntries += tally.journalEntries;
    totals.journalBytes += tally.journalBytes;
    for (const end of holdEnds) {
      const count = tally.ends[end];
      if (count !== undefined) this.#ends.set(end, (this.#ends.get(end) ?? 0) + count);
    }
    for (const ms of tally.waitsMs) this.#waits(ms / 1_000);
    for (const ms of tally.attemptsMs) this.#attempts(ms / 1_000);
  }

  countGroup({ commands, refused, ms, commitMs }: GroupFacts): void {
    this.#groups.commands += commands;
    this.#groups.refused += refused;
    this.#groupSizes(commands);
    this.#groupTimes(ms / 1_000);
    this.#commits(commitMs / 1_000);
  }

  countCall({ route, code, ms }: CallFacts): void {
    const key = `${route} ${code}`;
    const counted = this.#calls.get(key);
    if (counted === undefined) this.#calls.set(key, { labels: { route, code }, count: 1 });
    else counted.count += 1;
    this.#callTimes(ms / 1_000, { route });
  }

  /** Adds the gauges. */
  read(given: MetricSources): void {
    const set = this.#set;
    const sources = { ...given, stats: this.#oncePerScrape(given.stats), queues: this.#oncePerScrape(given.queues) };
    set.gauges({ name: 'mvm_ci_jobs', help: 'Jobs, by state.', labels: ['state'] }, async () => {
      const stats = await sources.stats();
      return jobStates.map((state) => [{ state }, stats[state]]);
    });
    this.#addQueues(sources);
    set.gauge('mvm_ci_leases', 'Leases that are kept.', sources.leases);
    set.gauge('mvm_ci_claims_waiting', 'Claims of workers that wait for jobs.', sources.claimsWaiting);
    set.gauges({ name: 'mvm_ci_workers', help: 'Workers that were heard of lately.' }, async () => {
      const { workers } = await sources.stats();
      return [[{}, workers]];
    });
    set.gauge('mvm_ci_peer_connections', 'Connections of the peer plane that are open.', sources.connections);
    const help = 'Round trip of the path in use, by node.';
    set.gauges({ name: 'mvm_ci_peer_round_trip_seconds', help, labels: ['node'] }, () =>
      sources.roundTrips().map(({ node, rttMs }) => [{ node }, rttMs / 1_000]),
    );
  }

  /** Several gauges come from one reading, which may count a million jobs. */
  #oncePerScrape<T>(read: () => Promise<T>): () => Promise<T> {
    let last: { readonly scrape: number; readonly value: Promise<T> } | undefined;
    return () => {
      if (last?.scrape !== this.#scrape) last = { scrape: this.#scrape, value: read() };
      return last.value;
    };
  }

  #addQueues({ queues, nowMs }: MetricSources): void {
    const gauges = (name: string, help: string, read: (state: QueueState) => number): void =>
      this.#set.gauges({ name: `mvm_ci_queue_${name}`, help, labels: ['queue'] }, async () =>
        (await queues()).map((state) => [{ queue: state.queue }, read(state)]),
      );
    gauges('ready_jobs', 'Jobs that could run now.', ({ ready }) => ready);
    gauges('running_jobs', 'Jobs that somebody holds.', ({ running }) => running);
    const age = 'How long the next job that could run has been able to.';
    gauges('ready_age_seconds', age, ({ readySince }) =>
      readySince === null ? 0 : Math.max(0, nowMs() - readySince) / 1_000,
    );
  }

  #addCounters(): void {
    const set = this.#set;
    const totals = this.#totals;
    set.counter('mvm_ci_jobs_published_total', 'Jobs that were stored.', () => totals.published);
    set.counter('mvm_ci_claims_total', 'Leases that were given.', () => totals.claims);
    set.counter('mvm_ci_resumes_total', 'Leases of jobs with a journal to go on with.', () => totals.resumes);
    set.counter('mvm_ci_journal_entries_total', 'Entries added to journals.', () => totals.journalEntries);
    set.counter('mvm_ci_journal_bytes_total', 'Bytes added to journals.', () => totals.journalBytes);
    const help = 'Times that a job ended, or somebody held it no longer, by how.';
    set.counters({ name: 'mvm_ci_job_ends_total', help, labels: ['end'] }, () =>
      holdEnds.map((end): Sample<'end'> => [{ end }, this.#ends.get(end) ?? 0]),
    );
    set.counter(
      'mvm_ci_store_commands_total',
      'Commands that the store applied or refused.',
      () => this.#groups.commands,
    );
    set.counter('mvm_ci_store_refused_total', 'Those that it refused.', () => this.#groups.refused);
    const calls = 'Calls of the API that were answered, by route and code (`ok`, or the error).';
    set.counters({ name: 'mvm_ci_requests_total', help: calls, labels: ['route', 'code'] }, () =>
      [...this.#calls.values()].map(({ labels, count }): Sample<'route' | 'code'> => [labels, count]),
    );
  }
}

const holdEnds: readonly HoldEnd[] = ['completed', 'failed', 'cancelled', 'retried', 'suspended', 'released', 'lost'];
