/** A store with a million pending and ten million finished jobs: how much slower it is than one with few, and what it holds in memory. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure, Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { fillStore } from './fill.ts';
import { lookAt, type Look } from './look.ts';
import { depthSizes } from './size.ts';

const bytesPerMib = 2 ** 20;

const measure = async ({ load, folder, signal, say }: BenchContext): Promise<Report> => {
  const { syncMs, finished, pending, measured: jobs } = depthSizes[load];
  const path = join(folder, 'control-plane', 'control.db');
  const syncsAtStart = measureSyncs(folder, syncMs);
  say('a store with few jobs');
  const few = await lookAt({ folder, prefix: 'few', jobs, signal });
  say(`${finished} jobs are finished, ${pending} published`);
  await fillStore({ path, finished, pending, signal, say });
  say('the full store');
  const full = await lookAt({ folder, prefix: 'full', jobs, signal });
  const syncs = syncBound(syncsAtStart, measureSyncs(folder, syncMs));
  const expected = few.published + finished + pending + full.published;
  const { stats } = full;
  return {
    bench: 'depth',
    metrics: [
      { name: 'finished_jobs', value: finished, what: 'finished jobs in the full store' },
      { name: 'pending_jobs', value: pending, what: 'pending jobs in the full store' },
      { name: 'stored_mib', value: statSync(path).size / bytesPerMib, what: 'the SQLite file of the full store' },
      ...figures('few', few),
      ...figures('full', full),
      ratio('publish_ratio', full.publishPerS / few.publishPerS, 'published'),
      ratio('drain_ratio', full.drainPerS / few.drainPerS, 'completed by a worker'),
    ],
    bounds: [syncs],
    lost: Math.max(0, expected - stats.total) + (stats.total - stats.pending - stats.completed),
    duplicated: Math.max(0, stats.total - expected),
  };
};

const ratio = (name: string, value: number, done: string): Figure => ({
  name,
  value,
  what: `jobs ${done} a second in the full store, for one of the store with few`,
});

const figures = (prefix: string, look: Look): readonly Figure[] => [
  { name: `${prefix}_publish_per_s`, value: look.publishPerS, what: '1,000 jobs a request, 4 requests at a time' },
  { name: `${prefix}_drain_per_s`, value: look.drainPerS, what: 'completed by one worker of a trivial plain handler' },
  { name: `${prefix}_start_ms`, value: look.startMs, what: 'from the start of the control plane to its ready line' },
  { name: `${prefix}_list_ms`, value: look.listMs, what: 'one page of the list of completed jobs' },
  { name: `${prefix}_rss_mib`, value: look.rssMib, what: 'resident memory of the control plane' },
];

await runBench(measure);
