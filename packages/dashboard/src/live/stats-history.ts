/** The counts by state of the last minutes, asked for each second while somebody looks: what the charts are drawn from. */
import { routePath, type QueueStats } from '@mvm-ci/protocol';
import { get } from '../api/request.ts';
import { session } from '../api/session.ts';
import { Observable } from '../observable.ts';
import { pause, seen } from './visibility.ts';

/** The counts at a time. */
export interface StatsSample {
  /** Unix seconds. */
  readonly at: number;
  readonly stats: QueueStats;
}

const periodMs = 1_000;
const samplesMax = 300;

/** See the head of this file. The newest sample is the last. */
class StatsHistory {
  readonly samples = new Observable<readonly StatsSample[]>([]);

  start(): void {
    void this.#watch();
  }

  async #watch(): Promise<never> {
    for (;;) {
      await seen();
      await session.admitted();
      try {
        const stats = await get<QueueStats>(routePath('stats'));
        const samples = [...this.samples.value, { at: Date.now() / 1_000, stats }];
        this.samples.set(samples.slice(-samplesMax));
      } catch {
        // A gap in the curve.
      }
      await pause(periodMs);
    }
  }
}

/** The history of this tab. */
export const statsHistory: StatsHistory = new StatsHistory();
