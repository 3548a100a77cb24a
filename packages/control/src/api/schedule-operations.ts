/** `/schedules`: jobs that are published at times of the calendar. */
import { backfillSchema, idSchema, limits, parseAs, scheduleSpecSchema, scheduleViewSchema } from '@mvm-ci/protocol';
import { z } from 'zod';
import { bodyOf, noBody } from './body-spec.ts';
import { noSearch, operation, value, type Operation } from './operation.ts';
import { publishedManySchema, publishedSchema } from './schemas.ts';

// The id of a job is its schedule's name, a colon and a time in ISO 8601.
const nameCharsMax = limits.idCharsMax - ':2026-01-01T00:00:00.000Z'.length;

const nameSchema = idSchema.refine((name) => name.length <= nameCharsMax, {
  message: `at most ${nameCharsMax} characters, as job ids begin with it`,
});

const schedules = operation({
  method: 'GET',
  route: 'schedules',
  access: 'publisher',
  summary: 'All schedules, by name.',
  body: noBody,
  search: noSearch,
  answers: z.array(scheduleViewSchema),
  run: ({ core }) => value(core.scheduler.list()),
});

const schedule = operation({
  method: 'GET',
  route: 'schedule',
  access: 'publisher',
  summary: 'One schedule.',
  body: noBody,
  search: noSearch,
  answers: scheduleViewSchema,
  run: ({ core, parameter }) => value(core.scheduler.get(parameter)),
});

const setSchedule = operation({
  method: 'POST',
  route: 'schedule',
  access: 'operator',
  summary: 'Set a schedule, or replace what it does; what it has done stays known.',
  body: bodyOf(scheduleSpecSchema),
  search: noSearch,
  answers: scheduleViewSchema,
  run: async ({ core, parameter, body }) =>
    value(await core.scheduler.set(parseAs(nameSchema, parameter, 'the name of a schedule'), body)),
});

const deleteSchedule = operation({
  method: 'POST',
  route: 'scheduleDelete',
  access: 'operator',
  summary: 'Delete a schedule; its jobs stay.',
  body: noBody,
  search: noSearch,
  answers: z.object({ deleted: z.string() }),
  run: async ({ core, parameter }) => {
    await core.scheduler.delete(parameter);
    return value({ deleted: parameter });
  },
});

const trigger = operation({
  method: 'POST',
  route: 'scheduleTrigger',
  access: 'operator',
  summary: 'Publish the job of a schedule now, whatever its time is.',
  body: noBody,
  search: noSearch,
  answers: publishedSchema,
  run: async ({ core, parameter }) => value(await core.scheduler.trigger(parameter)),
});

const backfill = operation({
  method: 'POST',
  route: 'scheduleBackfill',
  access: 'operator',
  summary: 'Publish the jobs of all times of a span, up to 1,000; those that are there already stay.',
  body: bodyOf(backfillSchema),
  search: noSearch,
  answers: publishedManySchema,
  run: async ({ core, parameter, body }) => value({ jobs: await core.scheduler.backfill(parameter, body) }),
});

/** The operations of this file. */
export const scheduleOperations: readonly Operation[] = [
  schedules,
  schedule,
  setSchedule,
  deleteSchedule,
  trigger,
  backfill,
];
