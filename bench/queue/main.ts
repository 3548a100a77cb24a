/** Durable publish, claim and complete of trivial jobs: over HTTP, over iroh, by worker processes, and in the store alone. */
import type { Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs } from '../sync-bound.ts';
import { queueSizes } from './size.ts';
import { measureStoreCycle } from './store-cycle.ts';

const measure = async ({ load, folder, signal, say }: BenchContext): Promise<Report> => {
  const size = queueSizes[load];
  say('the disk alone');
  const syncs = measureSyncs(folder, size.syncMs);
  say('the store alone');
  const store = await measureStoreCycle(folder, size.storeJobs, signal);
  return { bench: 'queue', metrics: [], bounds: [syncs, store.figure], ...store.verdict };
};

await runBench(measure);
