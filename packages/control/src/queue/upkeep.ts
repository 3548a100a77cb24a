/**
 * What goes on by itself: deadlines, schedules, webhooks, the packing of old journals, and the forgetting of old jobs. Owns these and the order of their ends; each
 * has its own timer, and commands of its own.
 */
import type { Clock } from '@mvm-ci/protocol';
import { DeadlineKeeper } from '../lease/deadline-keeper.ts';
import type { Effects } from '../machine/effects.ts';
import type { Random } from '../random.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../logger.ts';
import { Compactor } from './compactor.ts';
import { Pruner, type Archive, type Retention } from './pruner.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { JobTrail } from './job-trail.ts';
import { Scheduler } from './scheduler.ts';
import { Webhooks, type Post } from './webhooks.ts';

/** What it works with. */
export interface UpkeepParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly pendingJobsMax: number;
  readonly trail: JobTrail;
  /** How long a job must have been over before its journal is packed; infinity: never. */
  readonly compactAfterMs: number;
  readonly retention: Retention;
  readonly archive: Archive | undefined;
  readonly logger: Logger;
  readonly feed: ChangeFeed;
  /** Sends the requests of webhooks. */
  readonly post: Post;
}

/** See the head of this file. */
export class Upkeep {
  readonly scheduler: Scheduler;
  readonly webhooks: Webhooks;
  readonly #deadlines: DeadlineKeeper;
  readonly #compactor: Compactor;
  readonly #pruner: Pruner;

  constructor(parts: UpkeepParts) {
    const { store, clock, random, pendingJobsMax, trail, compactAfterMs } = parts;
    this.scheduler = new Scheduler({ store, clock, random, pendingJobsMax, trail });
    this.#deadlines = new DeadlineKeeper({
      clock,
      expire: async () => {
        const command = { type: 'expire-deadlines', at: clock.wallMs(), jitter: random.unit() } as const;
        return (await store.apply<'expire-deadlines'>(command)).next;
      },
    });
    this.#compactor = new Compactor({ store, clock, afterMs: compactAfterMs });
    this.#pruner = new Pruner(parts);
    this.webhooks = new Webhooks(parts);
  }

  /** Does what became due while nobody was there. */
  async start(): Promise<void> {
    this.#deadlines.start();
    await this.scheduler.start();
    await this.webhooks.start();
  }

  follow(effects: Effects): void {
    this.#deadlines.follow(effects);
  }

  /** Ends after what is under way. Idempotent. */
  async stop(): Promise<void> {
    const services = [this.#deadlines, this.scheduler, this.#compactor, this.#pruner, this.webhooks];
    await Promise.all(services.map((service) => service.stop()));
  }
}
