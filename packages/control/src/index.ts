export { controlLimits, defaultPeriods, type LeasePeriods } from './limits.ts';
export { silentLogger, type Logger } from './logger.ts';
export type { Clock, Timer } from './clock.ts';
export type { Random } from './random.ts';
export { systemClock } from './system-clock.ts';
export { systemRandom } from './system-random.ts';
export type { Store } from './store/store.ts';
export { openThreadStore, type ThreadStoreOptions } from './store/thread-store.ts';
