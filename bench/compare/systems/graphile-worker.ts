/** graphile-worker on PostgreSQL, with the settings of its page on performance: a local queue, and completions in batches. */
import { missingPostgresProgram, startPostgres } from '../servers/postgres.ts';
import type { ConsumeParts, LaunchedSystem, LaunchParts, QueueSystem, StopConsuming } from '../system.ts';

interface Payload {
  readonly id: string;
}

interface Utils {
  addJob(task: string, payload: Payload): Promise<unknown>;
  addJobs(jobs: readonly { readonly identifier: string; readonly payload: Payload }[]): Promise<unknown>;
  migrate(): Promise<void>;
  release(): Promise<void>;
  withPgClient<Result>(
    use: (client: {
      query(sql: string): Promise<{ readonly rows: readonly { readonly jobs: number }[] }>;
    }) => Promise<Result>,
  ): Promise<Result>;
}

interface GraphileWorker {
  readonly Logger: new (factory: () => () => void) => object;
  makeWorkerUtils(options: object): Promise<Utils>;
  run(options: object): Promise<{ stop(): Promise<void> }>;
}

interface Pool {
  on(event: 'error', listener: () => void): unknown;
  on(event: 'connect', listener: (connection: Pick<Pool, 'on'>) => void): unknown;
  end(): Promise<void>;
}

interface Pg {
  readonly Pool: new (options: object) => Pool;
}

const task = 'trivial';
const publisherConnections = 10;
const concurrentJobs = 24;
const localQueueSize = 500;

const quiet = ({ Logger }: GraphileWorker): object => new Logger(() => () => undefined);

const launch = async ({ folder, packages }: LaunchParts): Promise<LaunchedSystem> => {
  await using opened = new AsyncDisposableStack();
  const postgres = opened.use(await startPostgres(folder));
  const graphile = packages.load<GraphileWorker>('graphile-worker');
  const { Pool } = packages.load<Pg>('pg');
  const pgPool = new Pool({ connectionString: postgres.url, max: publisherConnections });
  // A connection that is still closing when the server ends says so.
  pgPool.on('error', () => undefined);
  pgPool.on('connect', (connection) => connection.on('error', () => undefined));
  opened.defer(() => pgPool.end());
  const utils = await graphile.makeWorkerUtils({ pgPool, logger: quiet(graphile) });
  opened.defer(() => utils.release());
  await utils.migrate();
  const close = opened.move();
  return {
    address: { url: postgres.url },
    publish: async (id) => void (await utils.addJob(task, { id })),
    publishMany: async (ids) => void (await utils.addJobs(ids.map((id) => ({ identifier: task, payload: { id } })))),
    // It deletes a job when it is completed.
    unfinished: () =>
      utils.withPgClient(async (client) => {
        const { rows } = await client.query('select count(*)::int as jobs from graphile_worker.jobs');
        return rows[0]?.jobs ?? 0;
      }),
    [Symbol.asyncDispose]: () => close.disposeAsync(),
  };
};

const consume = async ({ address, packages, ran }: ConsumeParts): Promise<StopConsuming> => {
  const graphile = packages.load<GraphileWorker>('graphile-worker');
  const runner = await graphile.run({
    preset: {
      worker: {
        connectionString: address.url,
        maxPoolSize: concurrentJobs,
        concurrentJobs,
        localQueue: { size: localQueueSize },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        logger: quiet(graphile),
      },
    },
    noHandleSignals: true,
    taskList: { [task]: ({ id }: Payload) => ran(id) },
    parsedCronItems: [],
  });
  return () => runner.stop();
};

/** See the head of this file. */
export const graphileWorker: QueueSystem = {
  name: 'graphile_worker',
  settings: `PostgreSQL with synchronous_commit on, ${concurrentJobs} concurrent jobs, local queue of ${localQueueSize}, completions in batches, addJobs`,
  isPeer: true,
  missingProgram: missingPostgresProgram,
  launch,
  consume,
};
