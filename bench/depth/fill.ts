/** Fills a control plane's store through its own queue: what publishers and a worker of handlers would say, a thousand jobs at a time. */
import { openCore, openThreadStore, systemClock, systemRandom, type Core } from '@mvm-ci/control';
import { handlerPrefix } from '@mvm-ci/protocol';

const batchJobs = 1_000;
const sayEvery = 1_000_000;
const worker = 'bench';

/** The handler of all jobs of this bench. */
export const handler = 'trivial';

export interface Fill {
  /** The control plane's database; nobody else has it open. */
  readonly path: string;
  readonly finished: number;
  readonly pending: number;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Completes jobs, then publishes those that stay pending. */
export const fillStore = async ({ path, finished, pending, signal, say }: Fill): Promise<void> => {
  const core = await openCore({
    openStore: (onEffects) => openThreadStore({ path, onEffects }),
    admit: () => Promise.reject(new Error('nothing is deployed here')),
    clock: systemClock,
    random: systemRandom,
    pendingJobsMax: Number.MAX_SAFE_INTEGER,
  });
  try {
    for (let first = 0; first < finished; first += batchJobs) {
      signal.throwIfAborted();
      if (first > 0 && first % sayEvery === 0) say(`${first} of ${finished} jobs are finished`);
      const count = Math.min(batchJobs, finished - first);
      await publish(core, { prefix: 'finished', first, count });
      await finish(core, count);
    }
    for (let first = 0; first < pending; first += batchJobs) {
      signal.throwIfAborted();
      await publish(core, { prefix: 'pending', first, count: Math.min(batchJobs, pending - first) });
    }
  } finally {
    await core.stop();
  }
};

interface Some {
  readonly prefix: string;
  readonly first: number;
  readonly count: number;
}

const publish = async ({ queue }: Core, { prefix, first, count }: Some): Promise<void> => {
  await queue.publish(Array.from({ length: count }, (_, index) => ({ job_id: `${prefix}-${first + index}`, handler })));
};

const finish = async ({ queue }: Core, count: number): Promise<void> => {
  const { signal } = new AbortController();
  const able = { kinds: [`${handlerPrefix}${handler}`], tags: [], queues: null, modules: [] };
  const claimed = await queue.claim({ worker, incarnation: worker, capacity: count, waitMs: 0, ...able, signal });
  const outcome = { type: 'completed', result: 'null' } as const;
  const finishes = claimed.jobs.map(({ job, epoch, attempt }) => ({ job, epoch, attempt, outcome }));
  const results = await queue.finish(worker, finishes);
  if (results.length !== count || results.some(({ ok }) => !ok)) throw new Error('a job is not completed');
};
