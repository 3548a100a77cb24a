/**
 * What a workflow's author imports. Everything else that a workflow uses (`fetch`, `Date`, `URL`, `setTimeout`,
 * `console`, `crypto` …) is where a JavaScript programmer expects it: on `globalThis`.
 */
export { EffectError } from './effect-error.ts';
export {
  job,
  log,
  now,
  progress,
  random,
  respond,
  sleep,
  sleepUntil,
  uuid,
  version,
  type Log,
  type SleepOptions,
} from './author.ts';
export { all, race, type Branch } from './branches.ts';
export { ChildError, run, start, type Child, type JoinOptions, type StartOptions } from './child.ts';
export { group } from './group.ts';
export { receive, send, type Message, type ReceiveOptions } from './message.ts';
export { query } from './query.ts';
export { NonRetryableError, RetryAfterError } from './retry-error.ts';
export { saga, SagaError, type Compensation, type Saga } from './saga.ts';
export { secret } from './secret.ts';
export type { Abortable } from './call.ts';
export type { LogLevel, RedirectMode } from './intent.ts';
export type { JobFacts, Workflow } from './step-machine.ts';
export type { BlobBody, BlobRef, FetchExtras, Probe, Retry } from './http/fetch-extras.ts';
