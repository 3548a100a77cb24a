/** A million jobs that sleep on disk (100,000 with --quick): what the server that wakes them holds, and how late it is. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@mvm-ci/client';
import { encodeModule, type JournalBatch } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import type { Figure, Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { putToSleep, type Sleepers } from './bedroom.ts';
import { lookAt, type Look } from './look.ts';
import { sleepersSizes } from './size.ts';

const syncMs = 500;
const dayMs = 86_400_000;
const workflow = 'sleeper@1/main';
const template = 'template';
/** More than this times the memory with few jobs is not flat. */
const growthMax = 1.5;

const measure = async ({ load, folder, signal, say }: BenchContext): Promise<Report> => {
  const size = sleepersSizes[load];
  const data = join(folder, 'engine');
  const path = join(data, 'control.db');
  const syncsAtStart = measureSyncs(folder, syncMs);
  let journal: readonly JournalBatch[] = [];
  say('a first job');
  await lookAt({
    folder: data,
    workflow,
    probes: 1,
    signal,
    before: async (client) => void (journal = await sleepOne(client)),
  });
  const sleepers = (prefix: string, count: number): Sleepers => {
    const wakeAt = Date.now() + dayMs;
    return { prefix, count, wakeAt, agoMs: 0, workflow, input: dayMs, journal };
  };
  const due = (prefix: string): Sleepers => ({ ...sleepers(prefix, size.due), wakeAt: Date.now(), agoMs: dayMs });
  const look = (prefix: string): Promise<Look> => {
    const rested = (client: Client): Promise<void> => untilRested(client, { prefix, count: size.due, signal });
    return lookAt({ folder: data, workflow, probes: size.probes, signal, before: rested });
  };
  say(`${size.few} jobs that sleep`);
  await putToSleep(path, [sleepers('few', size.few), due('due')], signal);
  const few = await look('due');
  say(`${size.many} jobs that sleep`);
  const more = size.many - size.few;
  const seconds = await putToSleep(path, [sleepers('many', more)], signal);
  await putToSleep(path, [due('over')], signal);
  const many = await look('over');
  const bytes = statSync(path).size;
  const syncs = syncBound(syncsAtStart, measureSyncs(folder, syncMs));
  const inserted = {
    name: 'sleep_per_s',
    value: more / seconds,
    what: 'jobs put to sleep: publish, claim, suspend, 1,000 a command',
  };
  const disk = { name: 'bytes_per_job', value: bytes / size.many, what: 'of the database, a short journal included' };
  const total = { name: 'sleepers', value: many.waiting, what: 'jobs that sleep at the end' };
  return {
    bench: 'sleepers',
    metrics: [total, inserted, disk, ...figures('few', few), ...figures('many', many)],
    bounds: [syncs],
    lost: Math.max(0, size.many + 1 - many.waiting),
    duplicated: 0,
    objection:
      many.rssMib > growthMax * few.rssMib ? `memory is not flat: ${few.rssMib} MiB, then ${many.rssMib}` : undefined,
  };
};

const sleepOne = async (client: Client): Promise<readonly JournalBatch[]> => {
  await client.deploy({
    name: 'sleeper',
    version: '1',
    file: encodeModule(workflowModule('await sleep(input); return "rested";')),
  });
  await client.publish({ job_id: template, workflow, input: dayMs });
  for await (const { job_id: id, status } of client.events({ after: 0 }))
    if (id === template && status === 'waiting') break;
  return (await client.journalBatches(template)).batches;
};

/** Waits until the jobs that were due have gone on to their end. */
const untilRested = async (
  client: Client,
  { prefix, count, signal }: { readonly prefix: string; readonly count: number; readonly signal: AbortSignal },
): Promise<void> => {
  const ids = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const jobs = await Promise.all(ids.map((id) => client.wait(id, { signal })));
  const failed = jobs.find(({ status }) => status !== 'completed');
  if (failed) throw new Error(`job ${failed.job_id} is ${failed.status}: ${JSON.stringify(failed.error)}`);
};

const figures = (name: string, { startMs, beforeMs, rssMib, lateMs, listMs }: Look): readonly Figure[] => [
  {
    name: `${name}_start_ms`,
    value: startMs,
    what: `from the start of the process until it is ready, with ${name} jobs that sleep`,
  },
  {
    name: `${name}_due_ms`,
    value: beforeMs,
    what: 'until those that were due before the start had gone on to their end',
  },
  { name: `${name}_rss_mib`, value: rssMib, what: 'its resident memory' },
  { name: `${name}_wake_late_p50_ms`, value: lateMs, what: 'a workflow that slept 1.5 s goes on so late' },
  { name: `${name}_list_ms`, value: listMs, what: 'one page of the jobs that wait' },
];

await runBench(measure);
