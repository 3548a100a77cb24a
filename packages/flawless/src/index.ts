export { startEngineServer, type EngineLinks, type EngineServer, type EngineServerOptions } from './engine-server.ts';
export { flawlessLimits } from './limits.ts';
export { FlawlessDesk, type FlawlessDeskParts } from './flawless-desk.ts';
export type { DeployedName, FlawlessService } from './flawless-api.ts';
export { CountedEffects } from './counted-effects.ts';
export type { JournalCounts, OwnJobs, WorkCounts } from './own-jobs.ts';
