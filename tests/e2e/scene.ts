/** What most of these tests start from: a cluster of processes, a client of its API, and modules deployed to it. */
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { buildWorkflow, type BuiltModule } from '@mvm-ci/build';
import { createClient, type Client } from '@mvm-ci/client';
import { isFinal, type JobView, type PublishJob } from '@mvm-ci/protocol';
import {
  Cluster,
  type AuditedJournal,
  type ClusterOptions,
  type EffectAudit,
  type ReadyProcess,
} from '@mvm-ci/testkit';

/** Modules that tests deploy. */
export type ModuleName =
  | 'crawler'
  | 'core-fetches'
  | 'c-fetches'
  | 'c-core-fetches'
  | 'rust-fetches'
  | 'go-fetches'
  | 'flawless-fetches'
  | 'flawless-rust'
  | 'sqlite-shell'
  | 'order'
  | 'c-library'
  | 'probe'
  | 'journey'
  | 'family'
  | 'blobs'
  | 'changed-v1'
  | 'changed-v2'
  | 'watched';

const folders: Readonly<Record<ModuleName, string>> = {
  crawler: '../../examples/01-crawler',
  'core-fetches': '../../examples/02-core-assemblyscript',
  'c-fetches': '../../examples/03-c',
  'c-core-fetches': '../../examples/04-core-c',
  'rust-fetches': '../../examples/05-rust',
  'go-fetches': '../../examples/06-go',
  'flawless-fetches': '../../examples/07-flawless-c',
  'flawless-rust': '../../examples/09-flawless-rust',
  'sqlite-shell': '../../examples/08-sqlite-shell',
  order: '../../examples/10-order',
  'c-library': 'fixtures/c-library',
  probe: 'fixtures/probe',
  journey: 'fixtures/journey',
  family: 'fixtures/family',
  blobs: 'fixtures/blobs',
  'changed-v1': 'fixtures/changed-v1',
  'changed-v2': 'fixtures/changed-v2',
  watched: 'fixtures/watched',
};

const folderOf = (name: ModuleName): string => fileURLToPath(new URL(folders[name], import.meta.url));

/** A file with many scenes builds each module once. */
const built = new Map<ModuleName, Promise<BuiltModule>>();

const build = (name: ModuleName): Promise<BuiltModule> => {
  const building = built.get(name) ?? buildWorkflow({ folder: folderOf(name) });
  built.set(name, building);
  return building;
};

/** A running cluster with a client. */
export class Scene implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly client: Client;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.client = createClient({ url: cluster.url });
  }

  static async start(options: ClusterOptions = {}): Promise<Scene> {
    return new Scene(await Cluster.start(options));
  }

  /** Builds and deploys a folder of workflows. @returns the module's hash */
  async deploy(name: ModuleName): Promise<string> {
    const { bytes, name: moduleName, version } = await build(name);
    const deployed = await this.client.deploy({ name: moduleName, version, file: bytes });
    return deployed.hash;
  }

  /** Publishes jobs. @returns their ids, in order */
  async publish(jobs: readonly PublishJob[]): Promise<readonly string[]> {
    return (await this.client.publishMany(jobs)).map((job) => job.job_id);
  }

  /** Waits until `found` holds for a job, looking at each of its changes. */
  async until(id: string, found: (job: JobView) => boolean, signal: AbortSignal): Promise<JobView> {
    for await (const job of this.client.events({ after: 0, signal })) {
      if (job.job_id === id && found(job)) return job;
    }
    throw new Error(`the event stream ended before job ${id} was as expected`);
  }

  /** Waits until a job is over. */
  ended(id: string, signal: AbortSignal): Promise<JobView> {
    return this.until(id, (job) => isFinal(job.status), signal);
  }

  /** How many jobs are over. */
  async countOver(): Promise<number> {
    const { completed, failed, cancelled } = await this.client.stats();
    return completed + failed + cancelled;
  }

  /** Waits until all these jobs are over. @returns their last views, in the order of `ids` */
  async allEnded(ids: readonly string[], signal: AbortSignal): Promise<readonly JobView[]> {
    const open = new Set(ids);
    const views = new Map<string, JobView>();
    for await (const job of this.client.events({ after: 0, signal })) {
      if (!open.has(job.job_id) || !isFinal(job.status)) continue;
      open.delete(job.job_id);
      views.set(job.job_id, job);
      if (open.size === 0) break;
    }
    for (const id of open) {
      const why = inspect(await this.client.why(id), { depth: 9 });
      throw new Error(`${open.size} of ${ids.length} jobs are not over, such as ${why}`);
    }
    return ids.map((id) => views.get(id)).filter((job) => job !== undefined);
  }

  /** The jobs that a worker holds now. */
  async heldBy(worker: ReadyProcess): Promise<readonly JobView[]> {
    const lists = await Promise.all(
      (['claimed', 'in_progress'] as const).map((state) => this.client.list({ state, limit: 1_000 })),
    );
    return lists.flatMap(({ jobs }) => jobs).filter((job) => job.claimed_by === worker.field('node'));
  }

  /** Kills a worker and notes in `audit` what was in flight. @returns the journals of the jobs that it held */
  async killWorker(worker: ReadyProcess, audit: EffectAudit): Promise<readonly AuditedJournal[]> {
    const atMs = Date.now();
    await this.cluster.removeWorker(worker);
    const held = await this.heldBy(worker);
    const journals = await Promise.all(held.map((job) => this.client.journal(job.job_id)));
    audit.noteKill(atMs, journals);
    return journals;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }
}
