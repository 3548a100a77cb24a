/**
 * Publishes the jobs of schedules when their times come. Owns one timer, for the earliest time of all; the schedules are in
 * the store.
 *
 * 1. What a time does is one command, which names it: a crash before its commit repeats it, one after does not.
 * 2. The id of a job is the schedule's name and its time, so that also a backfill publishes each time once.
 * 3. A time is missed when it is `missedMs` ago; what then happens is the schedule's catch-up policy.
 */
import {
  limits,
  mvmError,
  parseAs,
  scheduleSpecSchema,
  type BackfillRequest,
  type Clock,
  type Published,
  type ScheduleSpec,
  type ScheduleView,
  type Timer,
} from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { PublishItem } from '../machine/command.ts';
import type { ScheduleRecord } from '../machine/schedule-table.ts';
import type { Random } from '../random.ts';
import type { Store } from '../store/store.ts';
import { calendar, latestTimes, timesBetween, type Calendar } from './calendar.ts';
import type { JobTrail } from './job-trail.ts';
import { publishItem } from './publish-item.ts';

/** What the scheduler works with. */
export interface SchedulerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly pendingJobsMax: number;
  readonly trail: JobTrail;
}

interface Known {
  readonly record: ScheduleRecord;
  readonly spec: ScheduleSpec;
  readonly times: Calendar;
}

/** See the head of this file. */
export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #schedules: Map<string, Known> = new Map();
  #timer: Timer | undefined;
  #turn: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Reads the schedules, and does what was missed. */
  async start(): Promise<void> {
    const { schedules } = await this.#parts.store.read<'schedules'>({ type: 'schedules' });
    for (const record of schedules) this.#keep(record);
    this.#arm();
  }

  /** Ends after what is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#turn;
  }

  /** By name. */
  list(): readonly ScheduleView[] {
    return [...this.#schedules.values()].map(view).sort((a, b) => (a.schedule < b.schedule ? -1 : 1));
  }

  /** @throws SCHEDULE_NOT_FOUND */
  get(name: string): ScheduleView {
    return view(this.#known(name));
  }

  /** Sets a schedule, or replaces one. @throws INVALID_ARGUMENT, QUEUE_FULL */
  async set(name: string, spec: ScheduleSpec): Promise<ScheduleView> {
    const { store, clock } = this.#parts;
    const at = clock.wallMs();
    const nextAt = spec.paused === true ? null : calendar(spec).after(at);
    // The expression is read in any case, and so is the input, which may be too long.
    if (nextAt === null && calendar(spec).after(at) === null)
      throw mvmError('INVALID_ARGUMENT', `the schedule "${spec.cron}" has no time any more`, { cron: spec.cron });
    this.#item(name, spec, at);
    const { schedulesMax } = limits;
    const dueAt = nextAt === null ? null : this.#dueAt(name, spec, at);
    const command = {
      type: 'set-schedule',
      at,
      name,
      spec: JSON.stringify(spec),
      nextAt,
      dueAt,
      schedulesMax,
    } as const;
    return this.#changed((await store.apply<'set-schedule'>(command)).schedule);
  }

  /** The time that has come and is not done yet; null when there is none, or it is none of the times that are set now. */
  #dueAt(name: string, { cron, time_zone: zone = 'UTC' }: ScheduleSpec, at: number): number | null {
    const known = this.#schedules.get(name);
    const nextAt = known?.record.nextAt ?? null;
    if (known === undefined || nextAt === null || nextAt > at) return null;
    const { cron: knownCron, time_zone: knownZone = 'UTC' } = known.spec;
    return cron === knownCron && zone === knownZone ? nextAt : null;
  }

  /** @throws SCHEDULE_NOT_FOUND */
  async delete(name: string): Promise<void> {
    const { store, clock } = this.#parts;
    await store.apply<'delete-schedule'>({ type: 'delete-schedule', at: clock.wallMs(), name });
    this.#schedules.delete(name);
    this.#arm();
  }

  /** Publishes its job now, whatever the time and whatever else runs. @throws SCHEDULE_NOT_FOUND, and what a publish does */
  async trigger(name: string): Promise<Published> {
    const { clock } = this.#parts;
    const { spec } = this.#known(name);
    const [published] = await this.#publish([this.#traced(name, spec, clock.wallMs())]);
    if (published === undefined) throw mvmError('INTERNAL', 'the store published nothing');
    return published;
  }

  /** Publishes the jobs of a span of time, those that are there already apart. @throws SCHEDULE_NOT_FOUND, INVALID_ARGUMENT */
  async backfill(name: string, { from_ms: from, to_ms: to }: BackfillRequest): Promise<readonly Published[]> {
    const { spec, times } = this.#known(name);
    const count = limits.backfillTimesMax;
    const found = timesBetween(times, { from, to, count: count + 1 });
    if (found.length > count) {
      throw mvmError(
        'INVALID_ARGUMENT',
        `a backfill has at most ${count} times, and there are more from ${from} to ${to}`,
        {
          backfillTimesMax: count,
        },
      );
    }
    return found.length === 0 ? [] : this.#publish(found.map((at) => this.#traced(name, spec, at)));
  }

  async #publish(jobs: readonly PublishItem[]): Promise<readonly Published[]> {
    const { store, clock, pendingJobsMax } = this.#parts;
    return (await store.apply<'publish'>({ type: 'publish', at: clock.wallMs(), jobs, pendingJobsMax })).jobs;
  }

  #item(name: string, spec: ScheduleSpec, at: number): PublishItem {
    return publishItem({ ...spec.job, job_id: scheduledJobId(name, at) }, this.#parts.random);
  }

  /** The same, to be published: each time is a trace of its own. */
  #traced(name: string, spec: ScheduleSpec, at: number): PublishItem {
    return { ...this.#item(name, spec, at), trace: this.#parts.trail.scheduled(name, spec.job) };
  }

  #known(name: string): Known {
    const known = this.#schedules.get(name);
    if (known !== undefined) return known;
    throw mvmError('SCHEDULE_NOT_FOUND', `no schedule has the name "${name}"`, { schedule: name });
  }

  #keep(record: ScheduleRecord): Known {
    const spec = parseAs(scheduleSpecSchema, JSON.parse(record.spec), `the stored schedule ${record.name}`);
    const known = { record, spec, times: calendar(spec) };
    this.#schedules.set(record.name, known);
    return known;
  }

  #changed(record: ScheduleRecord): ScheduleView {
    const known = this.#keep(record);
    this.#arm();
    return view(known);
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    const next = Math.min(...[...this.#schedules.values()].map(({ record }) => record.nextAt ?? Infinity), Infinity);
    if (next === Infinity) return;
    const delayMs = Math.min(Math.max(next - this.#parts.clock.wallMs(), 1), controlLimits.deadlineLookMs);
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#turn = this.#fireDue();
    });
  }

  async #fireDue(): Promise<void> {
    try {
      for (const name of this.#schedules.keys()) await this.#fireAll(name);
      this.#arm();
    } catch {
      // The store could not commit: what is due stays due.
      if (!this.#stopped)
        this.#timer = this.#parts.clock.after(controlLimits.expiryRetryMs, () => {
          this.#turn = this.#fireDue();
        });
    }
  }

  /** Does all times of a schedule that have come. */
  async #fireAll(name: string): Promise<void> {
    const at = this.#parts.clock.wallMs();
    for (let known = this.#schedules.get(name); known && !this.#stopped; known = this.#schedules.get(name)) {
      const { nextAt } = known.record;
      if (nextAt === null || nextAt > at) return;
      await this.#fireNext(known, { nextAt, at });
    }
  }

  async #fireNext(
    { record, spec, times }: Known,
    now: { readonly nextAt: number; readonly at: number },
  ): Promise<void> {
    const { store, pendingJobsMax } = this.#parts;
    const time = chosenTime({ spec, times }, now);
    const command = {
      type: 'fire-schedule',
      at: now.at,
      name: record.name,
      scheduledFor: now.nextAt,
      nextAt: time.next,
      job: time.fire === null ? null : this.#traced(record.name, spec, time.fire),
      overlap: spec.overlap ?? 'skip',
      pendingJobsMax,
    } as const;
    this.#keep((await store.apply<'fire-schedule'>(command)).schedule);
  }
}

/**
 * Which time is done now, and which is next. Of many missed ones, those that the policy passes over are left behind in
 * one go.
 */
const chosenTime = (
  { spec, times }: Pick<Known, 'spec' | 'times'>,
  { nextAt, at }: { readonly nextAt: number; readonly at: number },
): { readonly fire: number | null; readonly next: number | null } => {
  if (nextAt > at - controlLimits.missedMs) return { fire: nextAt, next: times.after(nextAt) };
  const policy = spec.catch_up ?? 'last';
  // What is only late is not missed.
  if (policy === 'none') return { fire: null, next: times.after(at - controlLimits.missedMs) };
  const kept = policy === 'last' ? 1 : limits.catchUpTimesMax;
  const missed = latestTimes(times, { from: nextAt, to: at + 1, count: kept });
  const [first = nextAt, second] = missed;
  return { fire: first, next: second ?? times.after(first) };
};

/** The id of the job of a time: the schedule's name, and the time as ISO 8601 in UTC. */
const scheduledJobId = (name: string, at: number): string => `${name}:${new Date(at).toISOString()}`;

const view = ({ record, spec }: Known): ScheduleView => ({
  schedule: record.name,
  spec,
  next_at_ms: record.nextAt,
  last_at_ms: record.lastAt,
  last_job: record.lastJob,
  skipped: record.skipped,
  error: record.errorCode === null ? null : { code: record.errorCode, message: record.errorMessage ?? '' },
});
