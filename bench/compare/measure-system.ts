/**
 * All figures of one system: it is launched, filled and drained once to warm up, filled by each way of publishing while no
 * worker takes jobs, drained, filled again, drained against the clock, and then given single jobs at rest.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Dispenser, runLanes, timed } from '../lanes.ts';
import { percentile } from '../percentile.ts';
import { timePickUps } from '../queue/timing.ts';
import type { Figure } from '../report.ts';
import { Tally, type Verdict } from '../tally.ts';
import type { PeerPackages } from './peer-packages.ts';
import { callers, type CompareSize } from './size.ts';
import type { LaunchedSystem, QueueSystem } from './system.ts';
import { WorkerProcess } from './worker-process.ts';

const bulkJobs = 1_000;
const bulkLanes = 4;
const pollMs = 5;
const silentMsMax = 60_000;

/** With what a system is measured. */
export interface MeasureParts {
  readonly size: CompareSize;
  /** Empty, for the system's data. */
  readonly folder: string;
  readonly packages: PeerPackages;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** What was found. */
export interface SystemFound {
  readonly figures: readonly Figure[];
  readonly verdict: Verdict;
}

/** See the head of this file. */
export const measureSystem = async (system: QueueSystem, parts: MeasureParts): Promise<SystemFound> => {
  const { size, signal } = parts;
  const say = (text: string): void => parts.say(`${system.name}: ${text}`);
  say(`starting (${system.settings})`);
  await using launched = await system.launch(parts);
  const tally = new Tally();
  await using worker = new WorkerProcess(tally);
  const run = new Run({ ...parts, system, launched, worker, tally });
  say('warming up');
  await run.publish('warm-1', { count: size.warmUp, lanes: callers, batch: 1 });
  await run.publish('warm-bulk', { count: size.warmUp, lanes: bulkLanes, batch: bulkJobs });
  await run.drain();
  say('publishing');
  const one = await run.publish('one', { count: size.publish1, lanes: 1, batch: 1 });
  const many = await run.publish('many', { count: size.publish64, lanes: callers, batch: 1 });
  const bulk = await run.publish('bulk', { count: size.publishBulk, lanes: bulkLanes, batch: bulkJobs });
  await run.drain();
  say('draining');
  await run.publish('drain', { count: size.drain, lanes: bulkLanes, batch: bulkJobs, msMax: Infinity });
  const drained = await run.drain();
  say('single jobs at rest');
  const waits = await run.pickUps();
  signal.throwIfAborted();
  const verdict = tally.judge(worker.ranIds);
  const lost = Math.max(verdict.lost, await launched.unfinished());
  return { figures: figures(system, { one, many, bulk, drained, waits }), verdict: { ...verdict, lost } };
};

interface Shape {
  readonly count: number;
  readonly lanes: number;
  readonly batch: number;
  /** @default the size's */
  readonly msMax?: number;
}

interface RunParts extends MeasureParts {
  readonly system: QueueSystem;
  readonly launched: LaunchedSystem;
  readonly worker: WorkerProcess;
  readonly tally: Tally;
}

/** The steps that the figures are made of. */
class Run {
  readonly #parts: RunParts;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  /** @returns jobs per second */
  async publish(prefix: string, { count, lanes, batch, msMax }: Shape): Promise<number> {
    const { launched, size, tally, signal } = this.#parts;
    const dispenser = new Dispenser({ count, msMax: msMax ?? size.figureMsMax });
    const seconds = await timed(() =>
      runLanes(lanes, async () => {
        for (let numbers = dispenser.take(batch); numbers.length > 0; numbers = dispenser.take(batch)) {
          signal.throwIfAborted();
          const ids = numbers.map((number) => `${prefix}-${number}`);
          const [id = ''] = ids;
          await (batch === 1 ? launched.publish(id) : launched.publishMany(ids));
          tally.published(ids);
        }
      }),
    );
    return dispenser.taken / seconds;
  }

  /** Has the worker take jobs until none is left. @returns jobs per second, from the order to the last recorded completion */
  async drain(): Promise<number> {
    const { system, launched, worker, tally } = this.#parts;
    const jobs = tally.open;
    const seconds = await timed(async () => {
      await worker.start(system.name, launched.address.url);
      await this.#settle();
    });
    await worker.stop();
    return (jobs - tally.open) / seconds;
  }

  /** @returns ms from the call that publishes one job to its start, of many jobs one after the other */
  async pickUps(): Promise<readonly number[]> {
    const { system, launched, worker } = this.#parts;
    await worker.start(system.name, launched.address.url);
    const waits = await timePickUps(this.#parts, {
      prefix: 'pick-up',
      publish: (id) => launched.publish(id),
      startOf: (id) => this.#startOf(id),
    });
    await this.#settle();
    await worker.stop();
    return waits;
  }

  /** Returns when all has run and is recorded, or nothing has happened for a minute: the verdict then tells of it. */
  async #settle(): Promise<void> {
    const { launched, tally, signal } = this.#parts;
    while (tally.open > 0) if (!(await this.#hearsNews())) return;
    const endMs = performance.now() + silentMsMax;
    while ((await launched.unfinished()) > 0 && performance.now() < endMs) await pause(pollMs, undefined, { signal });
  }

  async #startOf(id: string): Promise<number | undefined> {
    const { worker } = this.#parts;
    while (worker.startOf(id) === undefined) if (!(await this.#hearsNews())) return undefined;
    return worker.startOf(id);
  }

  async #hearsNews(): Promise<boolean> {
    const { worker, signal } = this.#parts;
    const over = new AbortController();
    const silence = pause(silentMsMax, false, { signal: AbortSignal.any([signal, over.signal]) });
    try {
      return await Promise.race([worker.news.then(() => true), silence]);
    } finally {
      silence.catch(() => undefined);
      over.abort();
    }
  }
}

interface Measured {
  readonly one: number;
  readonly many: number;
  readonly bulk: number;
  readonly drained: number;
  readonly waits: readonly number[];
}

const figures = (system: QueueSystem, { one, many, bulk, drained, waits }: Measured): readonly Figure[] => {
  const { name, settings } = system;
  const begun = 'from the call that publishes one job to its start in the handler of an idle worker';
  const bound = 'sync_per_s';
  return [
    {
      name: `${name}_drain_jobs_per_s`,
      value: drained,
      what: `trivial jobs, one worker process, from a full queue to an empty one; ${settings}`,
    },
    { name: `${name}_publish1_per_s`, value: one, what: 'jobs published one by one by one caller', bound },
    { name: `${name}_publish64_per_s`, value: many, what: `jobs published one by one by ${callers} callers` },
    {
      name: `${name}_publish_bulk_per_s`,
      value: bulk,
      what: `jobs published ${bulkJobs} a call by ${bulkLanes} callers`,
    },
    { name: `${name}_publish_to_start_p50_ms`, value: percentile(waits, 0.5), what: `${begun}: half of them within` },
    { name: `${name}_publish_to_start_p99_ms`, value: percentile(waits, 0.99), what: `${begun}: 99 of 100 within` },
  ];
};
