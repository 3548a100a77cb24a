/**
 * A real cluster on this machine: a control plane, workers and engine servers, each a process of its own; workers join over
 * iroh on loopback by a ticket.
 *
 * Owns the processes and, unless it was given one, a temporary data folder.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineServers } from './engine-servers.ts';
import { ReadyProcess } from './ready-process.ts';

/** Where jobs run: the four places for an engine (docs/reference/flawless.md). */
export type EngineOption = 'embedded' | 'peer' | 'pool' | 'remote';

/** What a cluster is made of. */
export interface ClusterOptions {
  /** Another release's `mvm-ci.mjs` for the control plane. @default ours */
  readonly program?: string;
  /** Workers to start at once. @default 0 */
  readonly workers?: number;
  /** Jobs that each worker runs at the same time. @default 8 */
  readonly slots?: number;
  /** HTTP address of the control plane. @default "127.0.0.1:0", a free port */
  readonly http?: string;
  /** Where the control plane keeps its data. @default a temporary folder, removed at the end */
  readonly data?: string;
  /** More arguments for `mvm-ci control-plane`, which has no engine server beside it unless they name one. @default [] */
  readonly controlPlaneArgs?: readonly string[];
  /** More arguments for each `mvm-ci worker`. @default [] */
  readonly workerArgs?: readonly string[];
  /** Environment of each worker, on top of the caller's. @default {} */
  readonly workerEnv?: Readonly<Record<string, string>>;
  /** Working directory of each worker. @default the caller's */
  readonly workerCwd?: string;
  /** @default "embedded" */
  readonly engine?: EngineOption;
  /** More arguments for each `mvm-ci flawless`. @default [] */
  readonly engineArgs?: readonly string[];
}

/** Engine servers of each option. */
const engineServers: Readonly<Record<EngineOption, number>> = { embedded: 0, peer: 0, pool: 3, remote: 1 };

/** How one worker differs from the cluster's others. */
export interface WorkerOptions {
  readonly name?: string;
  /** Data folder that keeps the worker's key, so that it is the same node after a restart. @default none: a new key */
  readonly data?: string;
  readonly slots?: number;
  /** Another release's `mvm-ci.mjs`. @default ours */
  readonly program?: string;
  /** More arguments; they win over the cluster's. @default [] */
  readonly args?: readonly string[];
}

/** A control plane and workers in processes of their own. */
export class Cluster implements AsyncDisposable {
  readonly #options: ClusterOptions;
  readonly #workers = new Set<ReadyProcess>();
  readonly #ownsData: boolean;
  readonly data: string;
  /** None with the options `embedded` and `peer`. */
  readonly engines: EngineServers;
  #controlPlane: ReadyProcess;
  readonly #http: string;
  #started = 0;

  private constructor(options: ClusterOptions, { data, controlPlane, engines }: Parts) {
    this.#options = options;
    this.#ownsData = options.data === undefined;
    this.data = data;
    this.engines = engines;
    this.#controlPlane = controlPlane;
    this.#http = controlPlane.field('http');
  }

  /** Starts the control plane and the engine servers, then the workers side by side. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const data = options.data ?? (await mkdtemp(join(tmpdir(), 'mvm-ci-cluster-')));
    const cluster = await Cluster.#withoutWorkers(options, data);
    try {
      await Promise.all(Array.from({ length: options.workers ?? 0 }, () => cluster.addWorker()));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #withoutWorkers(options: ClusterOptions, data: string): Promise<Cluster> {
    let engines: EngineServers | undefined;
    try {
      engines = await EngineServers.start(engineServers[options.engine ?? 'embedded'], options.engineArgs);
      const controlPlane = await startControlPlane(options, data, options.http ?? '127.0.0.1:0');
      return new Cluster(options, { data, controlPlane, engines });
    } catch (error) {
      await engines?.[Symbol.asyncDispose]();
      if (options.data === undefined) await rm(data, { recursive: true, force: true });
      throw error;
    }
  }

  /** Base URL of the HTTP API; the same after a restart. */
  get url(): string {
    return this.#http;
  }

  get controlPlane(): ReadyProcess {
    return this.#controlPlane;
  }

  /** The join ticket. */
  get ticket(): string {
    return this.#controlPlane.field('ticket');
  }

  /** Workers that were started and not killed through {@link removeWorker}. */
  get workers(): readonly ReadyProcess[] {
    return [...this.#workers];
  }

  /** The worker whose node id is `node`. */
  worker(node: string | null): ReadyProcess | undefined {
    return this.workers.find((worker) => worker.ready['node'] === node);
  }

  /** Starts one more worker. */
  async addWorker(options: WorkerOptions = {}): Promise<ReadyProcess> {
    this.#started += 1;
    const name = options.name ?? `worker-${this.#started}`;
    const slots = String(options.slots ?? this.#options.slots ?? 8);
    const data = options.data === undefined ? [] : ['--data', options.data];
    const { workerArgs = [], workerEnv = {}, workerCwd } = this.#options;
    const more = [...data, ...this.#engineArgs(), ...workerArgs, ...(options.args ?? [])];
    const worker = await ReadyProcess.start({
      args: ['worker', '--ticket', this.ticket, '--name', name, '--slots', slots, ...more],
      env: workerEnv,
      cwd: workerCwd,
      program: options.program,
    });
    this.#workers.add(worker);
    return worker;
  }

  /** Kills a worker as a power cut would, and forgets it. */
  async removeWorker(worker: ReadyProcess): Promise<void> {
    this.#workers.delete(worker);
    await worker.kill();
  }

  /** Kills the control plane and starts it again on the same data and the same HTTP address. */
  async crashControlPlane(): Promise<void> {
    await this.#controlPlane.kill();
    await this.startControlPlane();
  }

  /** Starts the control plane again after its process was ended. */
  async startControlPlane(): Promise<void> {
    this.#controlPlane = await startControlPlane(this.#options, this.data, new URL(this.#http).host);
  }

  /** Asks everything to drain and end, workers first. @returns the exit codes, the control plane's last */
  async stop(): Promise<readonly (number | NodeJS.Signals)[]> {
    const workers = await Promise.all(this.workers.map((worker) => worker.stop()));
    const engines = await Promise.all(this.engines.running.map((server) => this.engines.stop(server)));
    return [...workers, ...engines, await this.#controlPlane.stop()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const engines = this.engines[Symbol.asyncDispose]();
    await Promise.all([this.#controlPlane.kill(), engines, ...this.workers.map((worker) => worker.kill())]);
    if (this.#ownsData) await rm(this.data, { recursive: true, force: true });
  }

  #engineArgs(): readonly string[] {
    if (this.#options.engine === 'peer') return ['--flawless-url', 'iroh+h3://control-plane'];
    return this.engines.urls.length === 0 ? [] : ['--flawless-url', this.engines.urls.join(',')];
  }
}

interface Parts {
  readonly data: string;
  readonly controlPlane: ReadyProcess;
  readonly engines: EngineServers;
}

const startControlPlane = (options: ClusterOptions, data: string, http: string): Promise<ReadyProcess> =>
  ReadyProcess.start({
    args: ['control-plane', '--data', data, '--http', http, '--flawless', 'off', ...(options.controlPlaneArgs ?? [])],
    program: options.program,
  });
