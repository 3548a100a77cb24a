import { limits, type JobOptions } from '@mvm-ci/protocol';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { duration } from '../duration.ts';
import { jobId, shortText, tagList } from '../option-value.ts';

/** The flags that say how a job is queued. */
export interface QueueFlags {
  readonly queue?: string;
  readonly priority?: number;
  readonly key?: string;
  readonly requires?: readonly string[];
  readonly tags?: readonly string[];
  readonly delay?: number;
  readonly at?: number;
  readonly startTimeout?: number;
  readonly attemptTimeout?: number;
  readonly timeout?: number;
  readonly unique?: string;
  readonly uniqueWindow?: number;
  readonly uniquePolicy?: NonNullable<JobOptions['unique']>['policy'];
  readonly after?: readonly string[];
  readonly onDependencyFailure?: JobOptions['on_dependency_failure'];
}

/** Adds those flags to a command. */
export const withQueueOptions = (command: Command): Command => {
  const time = duration(limits.durationMsMax);
  return command
    .option('--queue <queue>', 'the queue (default: default)', jobId)
    .option('--priority <number>', 'higher first; a step is worth ten minutes of waiting', priority)
    .option('--key <key>', 'whom it is for, such as a tenant: keys take turns, and limits count by key', shortText)
    .option('--requires <tags>', 'tags that a worker must have, comma-separated', tagList)
    .option('--tags <tags>', 'tags to find it by, comma-separated', tagList)
    .addOption(new Option('--delay <time>', 'run it after this time, such as 10m').argParser(time).conflicts('at'))
    .option('--at <time>', 'run it at this time, such as 2026-12-24T18:00:00Z', pointInTime)
    .option('--start-timeout <time>', 'fail it when no worker has begun it by then', time)
    .option('--attempt-timeout <time>', 'end an attempt that takes longer', time)
    .option('--timeout <time>', 'fail it when it is not over so long after its publish', time)
    .option('--unique <key>', 'only one job with this key at a time', shortText)
    .option('--unique-window <time>', 'keep the key for this long, instead of until the job is over', time)
    .addOption(
      new Option('--unique-policy <policy>', 'what to do when another job has the key (default: ignore)').choices([
        'ignore',
        'reject',
        'replace',
        'debounce',
      ]),
    )
    .option('--after <jobs>', 'run it when these jobs are over, comma-separated', tagList)
    .addOption(
      new Option('--on-dependency-failure <policy>', 'when one of them failed (default: fail)').choices([
        'fail',
        'cancel',
        'continue',
      ]),
    );
};

/** What the flags say. */
export const queueOptions = (flags: QueueFlags): JobOptions => {
  const { unique, uniqueWindow, uniquePolicy } = flags;
  const given: JobOptions = {
    queue: flags.queue,
    priority: flags.priority,
    key: flags.key,
    requires: flags.requires,
    tags: flags.tags,
    delay_ms: flags.delay,
    run_at_ms: flags.at,
    start_timeout_ms: flags.startTimeout,
    attempt_timeout_ms: flags.attemptTimeout,
    timeout_ms: flags.timeout,
    unique: unique === undefined ? undefined : { key: unique, window_ms: uniqueWindow, policy: uniquePolicy },
    after: flags.after,
    on_dependency_failure: flags.onDependencyFailure,
  };
  return given;
};

const priority = (text: string): number => {
  const value = Number(text);
  if (Number.isInteger(value) && Math.abs(value) <= limits.priorityMax) return value;
  throw new InvalidArgumentError(
    `it must be a whole number from -${limits.priorityMax} to ${limits.priorityMax}, received "${text}".`,
  );
};

/** Reads an option as a point in time, Unix ms; anything else is a usage error. */
export const pointInTime = (text: string): number => {
  const at = Date.parse(text);
  if (Number.isFinite(at) && at >= 0 && at <= limits.timeMsMax) return at;
  throw new InvalidArgumentError(`it must be a time such as 2026-12-24T18:00:00Z, received "${text}".`);
};
