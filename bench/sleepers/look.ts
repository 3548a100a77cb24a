/** An engine server on a folder with jobs that sleep: how soon it is there, what it holds, how late it wakes. */
import { createClient, type Client } from '@mvm-ci/client';
import { ReadyProcess } from '@mvm-ci/testkit';
import { percentile } from '../percentile.ts';
import { residentMib } from '../peers/process-usage.ts';

/** What was seen. */
export interface Look {
  readonly startMs: number;
  /** What `before` took. */
  readonly beforeMs: number;
  readonly rssMib: number;
  /** How late a workflow goes on after a sleep that gave its slot back, median. */
  readonly lateMs: number;
  /** One page of the list of those that wait. */
  readonly listMs: number;
  readonly waiting: number;
}

const probeSleepMs = 1_500;
const settleMs = 2_000;

/** How a server is looked at. */
export interface LookOptions {
  readonly folder: string;
  readonly workflow: string;
  readonly probes: number;
  readonly signal: AbortSignal;
  /** What happens before it is measured. */
  readonly before: (client: Client) => Promise<void>;
}

/** Starts a server, looks, and ends it. */
export const lookAt = async (options: LookOptions): Promise<Look> => {
  const { folder, workflow, probes, signal, before } = options;
  const startedMs = performance.now();
  const args = ['flawless', 'up', '--http', '127.0.0.1:0', '--data', folder, '--log-level', 'warn'];
  await using server = await ReadyProcess.start({ args, signal });
  const startMs = performance.now() - startedMs;
  const client = createClient({ url: server.field('http') });
  const readyMs = performance.now();
  await before(client);
  const beforeMs = performance.now() - readyMs;
  const late: number[] = [];
  for (let probe = 0; probe < probes; probe += 10)
    late.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(10, probes - probe) }, () => wakeLate(client, workflow, signal)),
      )),
    );
  const listedMs = performance.now();
  await client.list({ state: 'waiting', signal });
  const listMs = performance.now() - listedMs;
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const rssMib = residentMib(server.pid);
  const { waiting } = await client.stats({ signal });
  await server.stop();
  return { startMs, beforeMs, rssMib, lateMs: percentile(late, 0.5), listMs, waiting };
};

const wakeLate = async (client: Client, workflow: string, signal: AbortSignal): Promise<number> => {
  const { job_id: id } = await client.publish({ workflow, input: probeSleepMs }, { signal });
  await client.wait(id, { signal });
  const { entries } = await client.journal(id, { signal });
  const at = (kind: string): number => Number(entries.find((entry) => entry.kind === kind)?.['at']);
  return at('answered') - at('started') - probeSleepMs;
};
