/**
 * `npm run demo`: a real cluster on this machine, jobs, a worker killed in the middle, and the count afterwards.
 * Needs nothing but a checkout; leaves nothing behind, unless asked to keep the cluster.
 */
import { parseArgs } from 'node:util';
import type { EngineOption } from '@mvm-ci/testkit';
import { runDemo, type DemoOptions } from './demo/story.ts';

const usage = `Usage: npm run demo -- [options]

Starts a control plane and workers as processes of their own, deploys examples/01-crawler, publishes
jobs that crawl a web site served on this machine, kills a worker with SIGKILL in the middle, and shows
the others go on with its jobs from their journals. Ends with code 0 when no job was lost and no effect
was done twice.

  --option N     where the jobs run (default 1):
                   1  in each worker, which has an engine of its own
                   2  in the control plane, which lends its engine to the workers over iroh
                   3  in a pool of three engine servers
                   4  in one engine server that all workers share
  --jobs N       jobs to publish, at least 10 (default 60)
  --workers N    workers to start, at least 2 (default 3)
  --http ADDR    address of the HTTP API (default 127.0.0.1:3020; a free port when that one is taken)
  --keep         leave the cluster up at the end, until Ctrl-C
  --json         print one line of JSON at the end, and nothing else on stdout; npm's own lines are
                 left out with: npm run -s demo -- --json
  --help         this text
`;

const countOf = (text: string, name: string, least: number): number => {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new Error(`--${name} must be a whole number of at least ${least}, not "${text}"`);
};

/** `--option`, from 1. */
const engines: readonly EngineOption[] = ['embedded', 'peer', 'pool', 'remote'];

const engineOf = (text: string): EngineOption => {
  const engine = engines[Number(text) - 1];
  if (engine) return engine;
  throw new Error(`--option must be a whole number from 1 to ${engines.length}, not "${text}"`);
};

const readOptions = (): DemoOptions | undefined => {
  const { values } = parseArgs({
    options: {
      option: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '60' },
      workers: { type: 'string', default: '3' },
      http: { type: 'string', default: '127.0.0.1:3020' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    engine: engineOf(values.option),
    jobs: countOf(values.jobs, 'jobs', 10),
    workers: countOf(values.workers, 'workers', 2),
    http: values.http,
    keep: values.keep,
    json: values.json,
  };
};

const main = async (): Promise<number> => {
  const options = readOptions();
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const stop = new AbortController();
  // Kept to the end: a library that restores the cursor would end the process if nobody listened any more.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort(name));
  try {
    return await runDemo(options, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write('\nInterrupted: everything that was started is ended.\n');
    return 130;
  }
};

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`The demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
