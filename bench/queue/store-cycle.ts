/** The store alone: publish, claim and complete as commands to the control plane's own store, in this process. */
import { join } from 'node:path';
import { openThreadStore, type Store } from '@mvm-ci/control';
import { blake3, defaultBackoff, moduleHash } from '@mvm-ci/protocol';
import { Dispenser, runLanes, timed, type Amount } from '../lanes.ts';
import type { Figure } from '../report.ts';
import { Tally, type Verdict } from '../tally.ts';

const batchJobs = 100;
const lanes = 8;
const pageRows = 1_000;
const worker = 'bench';
const reference = 'nothing@1';
const hash = blake3(new TextEncoder().encode('the same for all: the store only compares it'));
const stamp = (): { readonly at: number } => ({ at: Date.now() });

/** What the store alone can do. */
export interface StoreCycle {
  readonly figure: Figure;
  readonly verdict: Verdict;
}

/** Takes jobs through a new store in `folder`. */
export const measureStoreCycle = async (folder: string, amount: Amount, signal: AbortSignal): Promise<StoreCycle> => {
  const store = await openThreadStore({ path: join(folder, 'store-alone.db'), onEffects: () => undefined });
  try {
    await deploy(store);
    const tally = new Tally();
    const dispenser = new Dispenser(amount);
    const seconds = await timed(() => cycle(store, { dispenser, tally, signal }));
    const value = dispenser.taken / seconds;
    const what = `publish → claim → complete in the store alone: three commits, ${batchJobs} jobs a command, ${lanes} at a time`;
    return { figure: { name: 'store_cycle_per_s', value, what }, verdict: tally.judge(await completedIds(store)) };
  } finally {
    await store.close();
  }
};

const deploy = async (store: Store): Promise<void> => {
  const file = new Uint8Array(1);
  await store.apply<'deploy'>({
    type: 'deploy',
    ...stamp(),
    name: 'nothing',
    version: '1',
    hash: moduleHash(file),
    kind: 'core',
    runtime: '',
    workflows: ['nothing'],
    file,
  });
};

interface Cycle {
  readonly dispenser: Dispenser;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

const cycle = async (store: Store, { dispenser, tally, signal }: Cycle): Promise<void> => {
  await runLanes(lanes, async () => {
    for (let numbers = dispenser.take(batchJobs); numbers.length > 0; numbers = dispenser.take(batchJobs)) {
      signal.throwIfAborted();
      await publish(store, numbers, tally);
      await claimAndFinish(store, numbers.length, tally);
    }
  });
};

const publish = async (store: Store, numbers: readonly number[], tally: Tally): Promise<void> => {
  const items = numbers.map((number) => ({
    id: `store-${number}`,
    reference,
    input: 'null',
    attemptsMax: 1,
    backoff: defaultBackoff,
    hash,
  }));
  const published = await store.apply<'publish'>({
    type: 'publish',
    ...stamp(),
    jobs: items,
    pendingJobsMax: Number.MAX_SAFE_INTEGER,
  });
  tally.published(published.jobs.map((job) => job.job_id));
};

const claimAndFinish = async (store: Store, capacity: number, tally: Tally): Promise<void> => {
  const claimed = await store.apply<'claim'>({ type: 'claim', ...stamp(), worker, incarnation: worker, capacity });
  const finishes = claimed.jobs.map(({ job, epoch, attempt }) => ({
    job,
    epoch,
    attempt,
    outcome: { type: 'completed' as const, result: 'null' },
    outcomeHash: hash,
  }));
  const finished = await store.apply<'finish'>({ type: 'finish', ...stamp(), worker, finishes, jitter: 0 });
  for (const [index, result] of finished.results.entries()) {
    const job = claimed.jobs[index];
    if (result.ok && job !== undefined) tally.completed(job.job);
  }
};

const completedIds = async (store: Store): Promise<readonly string[]> => {
  const ids: string[] = [];
  let before: number | undefined;
  do {
    before = await readPage(store, before ?? null, ids);
  } while (before !== undefined);
  return ids;
};

/** Adds a page's ids. @returns where the next page begins, undefined after the last */
const readPage = async (store: Store, before: number | null, ids: string[]): Promise<number | undefined> => {
  const { rows } = await store.read<'jobs'>({ type: 'jobs', filter: { state: 'completed' }, before, limit: pageRows });
  ids.push(...rows.map((row) => row.id));
  return rows.at(-1)?.number;
};
