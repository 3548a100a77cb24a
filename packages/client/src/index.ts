export * from './client.ts';
export type { JournalEntryView, JournalView, LogLine } from './answer.ts';
export type { Fetch } from './connection.ts';
export type { EventsOptions } from './job-events.ts';
export type { LogEventsOptions } from './log-events.ts';
export { clientLimits } from './limits.ts';
