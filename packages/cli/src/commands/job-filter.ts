import { jobStates, limits, type JobFilter } from '@mvm-ci/protocol';
import { Option, type Command } from 'commander';
import { duration } from '../duration.ts';
import { jobId, shortText } from '../option-value.ts';

/** The flags by which jobs are narrowed. */
export interface JobFilterFlags {
  readonly state?: NonNullable<JobFilter['state']>;
  readonly module?: string;
  readonly queue?: string;
  readonly key?: string;
  readonly tag?: string;
  readonly error?: string;
  readonly since?: number;
  readonly until?: number;
}

/** Adds those flags to a command. */
export const withJobFilter = (command: Command): Command =>
  command
    .addOption(
      new Option('--state <state>', 'only jobs in this state; live: not over yet').choices([...jobStates, 'live']),
    )
    .option('--module <name>', 'only runs of the module of this name', jobId)
    .option('--queue <queue>', 'only jobs of this queue', jobId)
    .option('--key <key>', 'only jobs for this key', shortText)
    .option('--tag <tag>', 'only jobs with this tag', jobId)
    .option('--error <code>', 'only jobs whose error has this code', shortText)
    .option(
      '--since <time>',
      'only jobs published in the last so long, such as 15m or 7d',
      duration(limits.durationMsMax),
    )
    .option('--until <time>', 'only jobs published longer ago than this', duration(limits.durationMsMax));

/** What the flags narrow by, seen from `now`, Unix ms. */
export const jobFilterOf = (flags: JobFilterFlags, now: number): JobFilter => {
  const { since, until, state, module, queue, key, tag, error } = flags;
  return {
    state,
    module,
    queue,
    key,
    tag,
    error,
    since_ms: since === undefined ? undefined : now - since,
    until_ms: until === undefined ? undefined : now - until,
  };
};

/** Whether any flag narrows at all. */
export const hasFilter = (flags: JobFilterFlags): boolean =>
  Object.values(jobFilterOf(flags, 0)).some((value) => value !== undefined);
