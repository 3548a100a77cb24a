import { availableParallelism } from 'node:os';

/** Guest threads of an engine that names no number: one core is left for the main side. */
export const defaultThreads = (): number => Math.max(1, availableParallelism() - 1);
