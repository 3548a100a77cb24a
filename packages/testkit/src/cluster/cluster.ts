/**
 * A real cluster on this machine: a control plane and workers, each a process of its own, joined over iroh on
 * loopback by a ticket.
 *
 * Owns the processes and, unless it was given one, a temporary data folder.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadyProcess } from './ready-process.ts';

/** What a cluster is made of. */
export interface ClusterOptions {
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
}

/** How one worker differs from the cluster's others. */
export interface WorkerOptions {
  readonly name?: string;
  /** Data folder that keeps the worker's key, so that it is the same node after a restart. @default none: a new key */
  readonly data?: string;
  readonly slots?: number;
}

/** A control plane and workers in processes of their own. */
export class Cluster implements AsyncDisposable {
  readonly #options: ClusterOptions;
  readonly #workers = new Set<ReadyProcess>();
  readonly #ownsData: boolean;
  readonly data: string;
  #controlPlane: ReadyProcess;
  readonly #http: string;
  #started = 0;

  private constructor(options: ClusterOptions, data: string, controlPlane: ReadyProcess) {
    this.#options = options;
    this.#ownsData = options.data === undefined;
    this.data = data;
    this.#controlPlane = controlPlane;
    this.#http = controlPlane.field('http');
  }

  /** Starts the control plane, then the workers side by side. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const data = options.data ?? (await mkdtemp(join(tmpdir(), 'mvm-ci-cluster-')));
    const cluster = await Cluster.#withControlPlane(options, data);
    try {
      await Promise.all(Array.from({ length: options.workers ?? 0 }, () => cluster.addWorker()));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #withControlPlane(options: ClusterOptions, data: string): Promise<Cluster> {
    try {
      return new Cluster(options, data, await startControlPlane(options, data, options.http ?? '127.0.0.1:0'));
    } catch (error) {
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
    const worker = await ReadyProcess.start({
      args: ['worker', '--ticket', this.ticket, '--name', name, '--slots', slots, ...data, ...workerArgs],
      env: workerEnv,
      cwd: workerCwd,
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
    const codes = await Promise.all(this.workers.map((worker) => worker.stop()));
    return [...codes, await this.#controlPlane.stop()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#controlPlane.kill(), ...this.workers.map((worker) => worker.kill())]);
    if (this.#ownsData) await rm(this.data, { recursive: true, force: true });
  }
}

const startControlPlane = (options: ClusterOptions, data: string, http: string): Promise<ReadyProcess> =>
  ReadyProcess.start({
    args: ['control-plane', '--data', data, '--http', http, '--flawless', 'off', ...(options.controlPlaneArgs ?? [])],
  });
