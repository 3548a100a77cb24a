/** Puts jobs to sleep by the control plane's own queue: what publishers and a worker would say, a thousand jobs at a time. */
import { openCore, openThreadStore, systemClock, systemRandom, type Core } from '@mvm-ci/control';
import {
  batchEntries,
  chainHash,
  chainStart,
  encodeEntry,
  type JournalBatch,
  type JournalEntry,
} from '@mvm-ci/protocol';

const batchJobs = 1_000;
const worker = 'bench';

/** Jobs that go to sleep. */
export interface Sleepers {
  /** Begins their ids. */
  readonly prefix: string;
  readonly count: number;
  /** Unix ms. */
  readonly wakeAt: number;
  /** `name@version/workflow`. */
  readonly workflow: string;
  readonly input: number;
  /** The journal of a job that sleeps. */
  readonly journal: readonly JournalBatch[];
  /** How much longer ago they began than that one. */
  readonly agoMs: number;
}

/** Puts `sleepers` into the database at `path`. @returns seconds that it took */
export const putToSleep = async (path: string, sleepers: readonly Sleepers[], signal: AbortSignal): Promise<number> => {
  const core = await openCore({
    openStore: (onEffects) => openThreadStore({ path, onEffects }),
    admit: () => Promise.reject(new Error('nothing is deployed here')),
    clock: systemClock,
    random: systemRandom,
  });
  const startMs = performance.now();
  try {
    for (const some of sleepers) await putSome(core, some, signal);
    return (performance.now() - startMs) / 1_000;
  } finally {
    await core.stop();
  }
};

const putSome = async (core: Core, sleepers: Sleepers, signal: AbortSignal): Promise<void> => {
  for (let first = 0; first < sleepers.count; first += batchJobs) {
    signal.throwIfAborted();
    await putBatch(core, sleepers, { first, count: Math.min(batchJobs, sleepers.count - first) });
  }
};

const putBatch = async (
  { queue }: Core,
  sleepers: Sleepers,
  { first, count }: { readonly first: number; readonly count: number },
): Promise<void> => {
  const { prefix, workflow, input, wakeAt } = sleepers;
  await queue.publish(
    Array.from({ length: count }, (_, index) => ({ job_id: `${prefix}-${first + index}`, workflow, input })),
  );
  const { signal } = new AbortController();
  const able = { kinds: ['workflow'], tags: [], queues: null, modules: [] };
  const claimed = await queue.claim({ worker, incarnation: worker, capacity: count, waitMs: 0, ...able, signal });
  const results = await queue.finish(
    worker,
    claimed.jobs.map(({ job, epoch, attempt }) => ({
      job,
      epoch,
      attempt,
      append: batchOf(job, sleepers),
      outcome: { type: 'suspended', wakeAt, seen: 0 },
    })),
  );
  if (results.length !== count || results.some(({ ok }) => !ok)) throw new Error('a job does not go to sleep');
};

/** The journal as that of `job`. */
const batchOf = (job: string, { journal, agoMs }: Sleepers): JournalBatch => {
  const entries = batchEntries(journal).map((entry): JournalEntry =>
    entry.kind === 'started' ? { ...entry, job, at: entry.at - agoMs } : entry,
  );
  const body = { firstSeq: 0, count: entries.length, bytes: new Uint8Array(Buffer.concat(entries.map(encodeEntry))) };
  return { ...body, hash: chainHash(chainStart(job, 1), body) };
};
