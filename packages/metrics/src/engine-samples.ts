/** What is told of engines in the same words by all that have one: engine servers and workers. */
import type { MetricSet } from './metric-set.ts';

/** Whether a request may be sent again after an unknown outcome. */
const effectClasses = ['idempotent', 'at_most_once'] as const;

/**
 * What became of a request: an answer, whatever its status; none, since the connection failed or took too long; or it was given
 * up, since the run is over or goes on elsewhere.
 */
const effectOutcomes = ['answered', 'failed', 'aborted'] as const;

export type EffectClass = (typeof effectClasses)[number];
export type EffectOutcome = (typeof effectOutcomes)[number];

/** What became of the requests of workflows so far. */
export interface EffectCounts {
  /** Under way. */
  readonly open: number;
  readonly ended: Readonly<Record<EffectClass, Readonly<Record<EffectOutcome, number>>>>;
  /** Time that those which are over took, all together. */
  readonly seconds: number;
}

/** What an engine is doing, and what it has done: the numbers of the engine's own statistics. */
export type EngineCounts = Readonly<
  Record<
    | 'runs'
    | 'threads'
    | 'guests'
    | 'restingGuests'
    | 'evictions'
    | 'rebuilds'
    | 'fuel'
    | 'replays'
    | 'replayedEntries'
    | 'replaySeconds',
    number
  >
>;

/** Adds what `counts` says of effects. */
export const addEffects = (set: MetricSet, counts: () => EffectCounts): void => {
  set.gauge('mvm_ci_effects_open', 'Requests of workflows that are under way.', () => counts().open);
  set.counter('mvm_ci_effect_seconds_total', 'Time that requests took.', () => counts().seconds);
  const help = 'Requests of workflows that are over, by class and by what became of them.';
  set.counters({ name: 'mvm_ci_effects_total', help, labels: ['class', 'outcome'] }, () => {
    const { ended } = counts();
    return effectClasses.flatMap((kind) =>
      effectOutcomes.map((outcome) => [{ class: kind, outcome }, ended[kind][outcome]] as const),
    );
  });
};

/** Adds what `counts` says of the engine in this process; all 0 where there is none. */
export const addEngine = (set: MetricSet, counts: () => EngineCounts | undefined): void => {
  const name = (text: string): string => `mvm_ci_engine_${text}`;
  const of = (key: keyof EngineCounts) => (): number => counts()?.[key] ?? 0;
  set.gauge(name('running'), 'Runs in progress in this engine.', of('runs'));
  set.gauge(name('threads'), 'Threads for guests that are started.', of('threads'));
  set.gauges({ name: name('guests'), help: 'Guests in memory.', labels: ['state'] }, () => {
    const { guests = 0, restingGuests = 0 } = counts() ?? {};
    return [
      [{ state: 'stepping' }, guests - restingGuests],
      [{ state: 'resting' }, restingGuests],
    ];
  });
  set.counter(name('evictions_total'), 'Guests dropped from memory to make room.', of('evictions'));
  set.counter(name('rebuilds_total'), 'Guests made again from their steps.', of('rebuilds'));
  set.counter(name('fuel_units_total'), 'Units of fuel that guests have used, replays included.', of('fuel'));
  set.counter(name('replays_total'), 'Runs that went on with a journal.', of('replays'));
  set.counter(name('replayed_entries_total'), 'Entries that these replayed.', of('replayedEntries'));
  set.counter(name('replay_seconds_total'), 'Time that their replay took.', of('replaySeconds'));
};
