/** The compared systems, in the order in which they are measured. */
import type { QueueSystem } from './system.ts';
import { bullMq } from './systems/bullmq.ts';
import { graphileWorker } from './systems/graphile-worker.ts';
import { mvmCi } from './systems/mvm-ci.ts';
import { pgBoss } from './systems/pg-boss.ts';

/** See the head of this file. */
export const systems: readonly QueueSystem[] = [mvmCi, bullMq, graphileWorker, pgBoss];
