/** pg-boss on PostgreSQL: batches of 1,000, fetched without a pause while they are full, and a queue that notifies. */
import { missingPostgresProgram, startPostgres } from '../servers/postgres.ts';
import type { ConsumeParts, LaunchedSystem, LaunchParts, QueueSystem, StopConsuming } from '../system.ts';

interface Payload {
  readonly id: string;
}

interface Boss {
  start(): Promise<unknown>;
  stop(options: object): Promise<void>;
  createQueue(name: string, options: object): Promise<void>;
  send(name: string, data: Payload): Promise<string | null>;
  insert(name: string, jobs: readonly { readonly data: Payload }[]): Promise<unknown>;
  work(
    name: string,
    options: object,
    handler: (jobs: readonly { readonly data: Payload }[]) => Promise<void>,
  ): Promise<string>;
  offWork(name: string, options: object): Promise<void>;
  getDb(): { executeSql(sql: string): Promise<{ readonly rows: readonly { readonly jobs: number }[] }> };
  on(event: 'error', listener: (error: Error) => void): unknown;
}

interface PgBossModule {
  readonly PgBoss: new (options: object) => Boss;
}

const queueName = 'bench';
const batchSize = 1_000;
const connections = 10;

const openBoss = async ({ address, packages }: Pick<ConsumeParts, 'address' | 'packages'>): Promise<Boss> => {
  const { PgBoss } = packages.load<PgBossModule>('pg-boss');
  const boss = new PgBoss({ connectionString: address.url, max: connections, useListenNotify: true, schedule: false });
  boss.on('error', (error) => console.error(error.message));
  await boss.start();
  return boss;
};

const launch = async ({ folder, packages }: LaunchParts): Promise<LaunchedSystem> => {
  await using opened = new AsyncDisposableStack();
  const postgres = opened.use(await startPostgres(folder));
  const address = { url: postgres.url };
  const boss = await openBoss({ address, packages });
  opened.defer(() => boss.stop({ graceful: false }));
  await boss.createQueue(queueName, { notify: true });
  const close = opened.move();
  return {
    address,
    publish: async (id) => void (await boss.send(queueName, { id })),
    publishMany: async (ids) =>
      void (await boss.insert(
        queueName,
        ids.map((id) => ({ data: { id } })),
      )),
    unfinished: async () => {
      const sql = `select count(*)::int as jobs from pgboss.job where name = '${queueName}' and state <> 'completed'`;
      return (await boss.getDb().executeSql(sql)).rows[0]?.jobs ?? 0;
    },
    [Symbol.asyncDispose]: () => close.disposeAsync(),
  };
};

const consume = async (parts: ConsumeParts): Promise<StopConsuming> => {
  const boss = await openBoss(parts);
  const options = { batchSize, burstWhenBatchFull: true };
  await boss.work(queueName, options, (jobs) => {
    for (const { data } of jobs) parts.ran(data.id);
    return Promise.resolve();
  });
  return async () => {
    await boss.offWork(queueName, { wait: true });
    await boss.stop({ graceful: true });
  };
};

/** See the head of this file. */
export const pgBoss: QueueSystem = {
  name: 'pg_boss',
  settings: `PostgreSQL with synchronous_commit on, batches of ${batchSize} with bursts, LISTEN/NOTIFY, insert`,
  isPeer: true,
  missingProgram: missingPostgresProgram,
  launch,
  consume,
};
