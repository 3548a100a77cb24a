/** How the queue's figures with workers are taken, whatever the workers run. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@mvm-ci/client';
import { Dispenser } from '../lanes.ts';
import type { Tally } from '../tally.ts';
import { preciseClock } from '../wall-clock.ts';
import type { QueueSize } from './size.ts';

const pollMs = 10;
const silentMsMax = 30_000;
const restMs = 20;

/** With what is measured. */
export interface TimingParts {
  readonly client: Client;
  readonly size: QueueSize;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** How many jobs were completed by when. */
export interface Progress {
  readonly completed: number;
  /** Of `performance.now()`. */
  readonly atMs: number;
}

/** @returns how far the workers are now */
export const progressOf = async (client: Client): Promise<Progress> => ({
  completed: (await client.stats()).completed,
  atMs: performance.now(),
});

/** Waits until `goal` jobs are completed, or none more for half a minute. @returns jobs per second since `start` */
export const completionRate = async (
  { client, signal }: Pick<TimingParts, 'client' | 'signal'>,
  { start, goal }: { readonly start: Progress; readonly goal: number },
): Promise<number> => {
  let last = start;
  while (last.completed < goal && performance.now() - last.atMs < silentMsMax) {
    await pause(pollMs, undefined, { signal });
    const now = await progressOf(client);
    if (now.completed > last.completed) last = now;
  }
  return ((last.completed - start.completed) * 1_000) / (last.atMs - start.atMs);
};

/** One job of many that are published one after the other to workers that have nothing to do. */
export interface PickUp {
  readonly prefix: string;
  readonly publish: (id: string) => Promise<unknown>;
  /** When the job began, once it is over, Unix ms; undefined: nobody knows. */
  readonly startOf: (id: string) => Promise<number | undefined>;
}

/** With what pick-ups are timed. */
export interface PickUpParts extends Pick<TimingParts, 'tally' | 'signal'> {
  readonly size: Pick<QueueSize, 'pickUps' | 'figureMsMax'>;
}

/** @returns ms from publish to start */
export const timePickUps = async (
  { size, tally, signal }: PickUpParts,
  { prefix, publish, startOf }: PickUp,
): Promise<readonly number[]> => {
  const wallMs = preciseClock();
  const waits: number[] = [];
  const dispenser = new Dispenser({ count: size.pickUps, msMax: size.figureMsMax });
  for (let [number] = dispenser.take(1); number !== undefined; [number] = dispenser.take(1)) {
    await pause(restMs, undefined, { signal });
    const id = `${prefix}-${number}`;
    const publishedMs = wallMs();
    await publish(id);
    tally.published([id]);
    const startMs = await startOf(id);
    if (startMs !== undefined) waits.push(startMs - publishedMs);
  }
  return waits;
};
