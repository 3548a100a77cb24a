/** An hour of full load (45 s with --quick): no lease may be lost, no effect repeated, no job missing. */
import { createClient, type Client } from '@mvm-ci/client';
import type { JobView } from '@mvm-ci/protocol';
import { EffectServer } from '../effect-server.ts';
import { buildScriptModule } from '../guest/modules.ts';
import { busyWorkflow, workflows } from '../guest/workflows.ts';
import { runLanes } from '../lanes.ts';
import { startCluster } from '../quiet-cluster.ts';
import type { Report } from '../report.ts';
import { runBench, type BenchContext } from '../run-bench.ts';
import { measureSyncs, syncBound } from '../sync-bound.ts';
import { soakSizes, type SoakSize } from './size.ts';

const workerCount = 2;
const effectsOfJob = 3;
const toldEveryMs = 10_000;
const syncMs = 500;
/** What one of the lanes asks for again and again: it keeps a guest thread busy for a good part of a second. */
const busyRounds = 2_500_000;

const measure = async ({ load, folder, signal, say }: BenchContext): Promise<Report> => {
  const size = soakSizes[load];
  const syncsAtStart = measureSyncs(folder, syncMs);
  await using cluster = await startCluster(folder);
  await using receiver = await EffectServer.start();
  for (let worker = 0; worker < workerCount; worker += 1) await cluster.addWorker();
  const client = createClient({ url: cluster.url });
  const { name: module } = await client.deploy(await buildScriptModule());
  const soak = new Soak({ client, receiver, size, signal, say, module });
  await soak.run();
  const { completed } = await client.stats({ signal });
  return soak.report(completed, syncBound(syncsAtStart, measureSyncs(folder, syncMs)));
};

interface SoakParts {
  readonly client: Client;
  readonly receiver: EffectServer;
  readonly size: SoakSize;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  readonly module: string;
}

/** The load and what came of it. */
class Soak {
  readonly #parts: SoakParts;
  readonly #startMs = performance.now();
  readonly #count = { jobs: 0, busy: 0, effects: 0, leasesLost: 0, repeated: 0 };
  #toldMs = performance.now();

  constructor(parts: SoakParts) {
    this.#parts = parts;
  }

  async run(): Promise<void> {
    const { size, signal } = this.#parts;
    await runLanes(size.lanes, async (lane) => {
      for (let round = 0; performance.now() - this.#startMs < size.ms; round += 1) {
        signal.throwIfAborted();
        await this.#runJob(lane, `soak-${lane}-${round}`);
        this.#tell();
      }
    });
  }

  report(completed: number, syncs: Report['bounds'][number]): Report {
    const { jobs, busy, effects, leasesLost, repeated } = this.#count;
    const minutes = (performance.now() - this.#startMs) / 60_000;
    const metrics = [
      { name: 'minutes', value: minutes, what: 'of full load' },
      { name: 'jobs', value: jobs, what: 'durable jobs of three HTTP requests each, in TypeScript' },
      { name: 'jobs_per_s', value: jobs / minutes / 60, what: 'the same, a second', bound: syncs.name },
      { name: 'busy_jobs', value: busy, what: 'jobs whose single step keeps a guest thread busy' },
      { name: 'effects', value: effects, what: 'requests that arrived' },
      { name: 'leases_lost', value: leasesLost, what: 'leases that ran out though every worker was alive' },
    ];
    const { count: late } = this.#parts.receiver.settleAll();
    const counts = { lost: Math.max(0, jobs + busy - completed), duplicated: repeated + late };
    return { bench: 'soak', metrics, bounds: [syncs], ...counts, objection: this.#objection(minutes) };
  }

  #objection(minutes: number): string | undefined {
    const { jobs, leasesLost } = this.#count;
    if (leasesLost > 0) return `${leasesLost} leases were lost`;
    const demanded = this.#parts.size.jobsPerMinuteMin * minutes;
    return jobs < demanded ? `too little happened: ${jobs} jobs, ${Math.ceil(demanded)} are a full load` : undefined;
  }

  async #runJob(lane: number, id: string): Promise<void> {
    const { client, receiver, module, size, signal } = this.#parts;
    const isBusy = lane === size.lanes - 1;
    const entry = isBusy ? busyWorkflow : workflows.threeEffects;
    const input = isBusy ? busyRounds : receiver.url;
    await client.publish({ job_id: id, workflow: `${module}/${entry}`, input }, { signal });
    const job = await client.wait(id, { signal });
    this.#note(job, isBusy);
  }

  #note({ job_id: id, status, lost_leases, error }: JobView, isBusy: boolean): void {
    if (status !== 'completed') throw new Error(`job ${id} is ${status}: ${JSON.stringify(error)}`);
    const { count: requests, repeated } = this.#parts.receiver.settle(id);
    if (!isBusy && requests - repeated !== effectsOfJob)
      throw new Error(`job ${id} completed with ${requests} requests`);
    this.#count[isBusy ? 'busy' : 'jobs'] += 1;
    this.#count.effects += requests;
    this.#count.repeated += repeated;
    this.#count.leasesLost += lost_leases;
  }

  #tell(): void {
    const now = performance.now();
    if (now - this.#toldMs < toldEveryMs) return;
    this.#toldMs = now;
    const { jobs, leasesLost } = this.#count;
    const seconds = Math.round((now - this.#startMs) / 1_000);
    this.#parts.say(`${seconds} s: ${jobs} jobs, ${leasesLost} leases lost`);
  }
}

await runBench(measure);
