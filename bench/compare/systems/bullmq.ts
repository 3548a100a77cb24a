/** BullMQ on Redis. Completed jobs are removed, as its guide to production advises. */
import { findProgram } from '../servers/server-process.ts';
import { redisProgram, startRedis } from '../servers/redis.ts';
import type { ConsumeParts, LaunchedSystem, LaunchParts, QueueSystem, StopConsuming } from '../system.ts';

interface Job {
  readonly name: string;
  readonly data: { readonly id: string };
}

interface Queue {
  add(name: string, data: Job['data']): Promise<unknown>;
  addBulk(jobs: readonly Job[]): Promise<unknown>;
  getJobCounts(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

interface BullMq {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (
    name: string,
    handler: (job: Job) => Promise<void>,
    options: object,
  ) => {
    waitUntilReady(): Promise<unknown>;
    close(): Promise<void>;
    on(event: 'error', listener: (error: Error) => void): unknown;
  };
}

const queueName = 'bench';
const concurrency = 100;

const launch = async ({ folder, packages }: LaunchParts): Promise<LaunchedSystem> => {
  await using opened = new AsyncDisposableStack();
  const redis = opened.use(await startRedis(folder));
  const { Queue } = packages.load<BullMq>('bullmq');
  const queue = new Queue(queueName, { connection: { url: redis.url } });
  opened.defer(() => queue.close());
  const close = opened.move();
  return {
    address: { url: redis.url },
    publish: async (id) => void (await queue.add('trivial', { id })),
    publishMany: async (ids) => void (await queue.addBulk(ids.map((id) => ({ name: 'trivial', data: { id } })))),
    unfinished: async () => {
      const { completed: _, ...others } = await queue.getJobCounts();
      return Object.values(others).reduce((sum, count) => sum + count, 0);
    },
    [Symbol.asyncDispose]: () => close.disposeAsync(),
  };
};

const consume = async ({ address, packages, ran }: ConsumeParts): Promise<StopConsuming> => {
  const { Worker } = packages.load<BullMq>('bullmq');
  const worker = new Worker(queueName, ({ data }) => Promise.resolve(ran(data.id)), {
    connection: { url: address.url, maxRetriesPerRequest: null },
    concurrency,
    removeOnComplete: { count: 0 },
  });
  worker.on('error', (error) => console.error(error.message));
  await worker.waitUntilReady();
  return () => worker.close();
};

/** See the head of this file. */
export const bullMq: QueueSystem = {
  name: 'bullmq',
  settings: `Redis with appendfsync always, concurrency ${concurrency}, addBulk, completed jobs removed`,
  isPeer: true,
  missingProgram: () => (findProgram(redisProgram) === undefined ? redisProgram : undefined),
  launch,
  consume,
};
