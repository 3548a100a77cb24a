/**
 * What a workflow's author imports. Everything else that a workflow uses (`fetch`, `Date`, `URL`, `setTimeout`,
 * `console`, `crypto` …) is where a JavaScript programmer expects it: on `globalThis`.
 */
export { EffectError } from './effect-error.ts';
export { job, log, now, progress, sleep, type Log, type SleepOptions } from './author.ts';
export { secret } from './secret.ts';
export type { Abortable } from './call.ts';
export type { LogLevel, RedirectMode } from './intent.ts';
export type { JobFacts, Workflow } from './step-machine.ts';
export type { FetchExtras } from './http/fetch-extras.ts';
