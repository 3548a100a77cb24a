/** Ours: plain handlers at default settings; publishing over HTTP, as in `bench/queue`. */
import { createClient } from '@mvm-ci/client';
import { worker } from '@mvm-ci/worker';
import { HttpCaller } from '../../http-caller.ts';
import { publishOverHttp } from '../../queue/queue-caller.ts';
import { startCluster } from '../../quiet-cluster.ts';
import { callers } from '../size.ts';
import type { ConsumeParts, LaunchedSystem, LaunchParts, QueueSystem, StopConsuming } from '../system.ts';

const handler = 'trivial';

const launch = async ({ folder }: LaunchParts): Promise<LaunchedSystem> => {
  await using opened = new AsyncDisposableStack();
  const cluster = opened.use(await startCluster(folder));
  const http = opened.use(new HttpCaller(cluster.url, callers));
  const client = createClient({ url: cluster.url });
  const close = opened.move();
  return {
    address: { url: cluster.url },
    publish: (id) => publishOverHttp(http, [id], handler),
    publishMany: (ids) => publishOverHttp(http, ids, handler),
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
