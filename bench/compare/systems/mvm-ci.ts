/** Ours: plain handlers and the client's library at default settings. */
import { createClient } from '@mvm-ci/client';
import { worker } from '@mvm-ci/worker';
import { startCluster } from '../../quiet-cluster.ts';
import type { ConsumeParts, LaunchedSystem, LaunchParts, QueueSystem, StopConsuming } from '../system.ts';

const handler = 'trivial';

const launch = async ({ folder }: LaunchParts): Promise<LaunchedSystem> => {
  await using opened = new AsyncDisposableStack();
  const cluster = opened.use(await startCluster(folder));
  const client = createClient({ url: cluster.url });
  const close = opened.move();
  return {
    address: { url: cluster.url },
    publish: async (id) => {
      await client.publish({ job_id: id, handler });
    },
    publishMany: async (ids) => {
      await client.publishMany(ids.map((id) => ({ job_id: id, handler })));
    },
    unfinished: async () => {
      const { total, completed } = await client.stats();
      return total - completed;
    },
    [Symbol.asyncDispose]: () => close.disposeAsync(),
  };
};

const consume = async ({ address, ran }: ConsumeParts): Promise<StopConsuming> => {
  const running = await worker({ url: address.url, handlers: { [handler]: ({ id }) => ran(id) } });
  return async () => {
    await running.drain();
    await running.closed;
  };
};

/** See the head of this file. */
export const mvmCi: QueueSystem = {
  name: 'mvm_ci',
  settings: 'plain handlers at default settings, SQLite with synchronous=FULL',
  isPeer: false,
  missingProgram: () => undefined,
  launch,
  consume,
};
