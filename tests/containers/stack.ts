/**
 * A cluster of containers, started by scripts/start-cluster.sh as a user would, and a client of its API. Owns the project:
 * its containers, networks and volumes are gone when it is disposed of, and its tokens lie in a folder of its own.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildWorkflow } from '@mvm-ci/build';
import { createClient, type Client } from '@mvm-ci/client';
import type { JobView } from '@mvm-ci/protocol';
import { run } from './command.ts';
import { compose } from './compose.ts';

/** The seed's deployment options. */
export type DeploymentOption = 1 | 2 | 3 | 4;

const composeFiles: Readonly<Record<DeploymentOption, string>> = {
  1: 'compose.embedded.yaml',
  2: 'compose.p2p.yaml',
  3: 'compose.pool.yaml',
  4: 'compose.yaml',
};

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const script = pathOf('../../scripts/start-cluster.sh');

/** A running cluster. */
export class Stack implements AsyncDisposable {
  readonly option: DeploymentOption;
  readonly project: string;
  readonly #secrets = mkdtempSync(join(tmpdir(), 'mvm-ci-secrets-'));
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #files: string[];
  #client: Client | undefined;

  private constructor(option: DeploymentOption, env: Readonly<Record<string, string>>) {
    this.option = option;
    this.#files = [composeFiles[option]];
    this.project = `mvm-ci-test-${option}`;
    this.#env = {
      ...process.env,
      COMPOSE_PROJECT_NAME: this.project,
      MVM_CI_SECRETS_FOLDER: this.#secrets,
      MVM_CI_PUBLISH: `127.0.0.1:1302${option}`,
      MVM_CI_PUBLISH_PEER: `127.0.0.1:1303${option}`,
      MVM_CI_SLOTS: '8',
      // Shorter than the tests' long jobs.
      MVM_CI_GRACE: '1',
      // A dozen containers that start on two processors may stand still for longer than the default.
      MVM_CI_LEASE_MS: '8000',
      ...env,
    };
  }

  /** Starts one with a module deployed. @param env more settings for Compose */
  static async start(
    option: DeploymentOption,
    workers: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Stack> {
    const stack = new Stack(option, env);
    try {
      await stack.up(workers);
      const { bytes, name, version } = await buildWorkflow({ folder: pathOf('fixtures/stepper') });
      await stack.client.deploy({ name, version, file: bytes });
      return stack;
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `http://127.0.0.1:1302${this.option}`;
  }

  get token(): string {
    return readFileSync(join(this.#secrets, 'operator-token'), 'utf8');
  }

  get client(): Client {
    return (this.#client ??= createClient({ url: this.url, token: this.token }));
  }

  /** Starts what is not running, scales, and waits until all is healthy. @returns the ticket that the script shows */
  async up(workers: number): Promise<string> {
    const shown = await run(script, ['--option', String(this.option), '--workers', String(workers)], this.#env);
    const ticket = /^ticket +(mvm1\S+)$/m.exec(shown)?.[1];
    if (ticket === undefined) throw new Error(`the script shows no ticket:\n${shown}`);
    return ticket;
  }

  /** Runs a command of Compose for this project. */
  compose(...args: readonly string[]): Promise<string> {
    return compose(this.#files, args, this.#env);
  }

  /** Starts services of the monitoring beside it. */
  async watch(...services: readonly string[]): Promise<void> {
    writeFileSync(join(this.#secrets, 'grafana-password'), 'unused');
    this.#files.push('compose.monitoring.yaml');
    await this.compose('up', '-d', ...services);
  }

  /** The ids of a service's containers. */
  async containers(service: string): Promise<readonly string[]> {
    const labels = [`project=${this.project}`, `service=${service}`];
    const filters = labels.flatMap((label) => ['--filter', `label=com.docker.compose.${label}`]);
    return (await run('docker', ['ps', '-q', ...filters])).split('\n').filter(Boolean);
  }

  /** The one container of a service. */
  async container(service: string): Promise<string> {
    const [first, ...others] = await this.containers(service);
    if (first !== undefined && others.length === 0) return first;
    throw new Error(`${service} should have one container`);
  }

  /** What the health check of a service's one container says. */
  async healthOf(service: string): Promise<string> {
    const format = ['--format', '{{.State.Health.Status}}'];
    return (await run('docker', ['inspect', ...format, await this.container(service)])).trim();
  }

  /** Publishes walks of the test's workflow. @returns the ids of the jobs */
  async walks(count: number, input: { readonly steps: number; readonly pauseMs: number }): Promise<readonly string[]> {
    const jobs = Array.from({ length: count }, () => ({ workflow: 'stepper/walk', input }));
    return (await this.client.publishMany(jobs)).map((job) => job.job_id);
  }

  /** Waits until all these jobs are over. */
  ended(ids: readonly string[], signal: AbortSignal): Promise<readonly JobView[]> {
    return Promise.all(ids.map((id) => this.client.wait(id, { signal })));
  }

  /** Waits until a job of `ids` is under way, with a journal to go on with. @returns the job as it is then */
  async underWay(ids: readonly string[], signal: AbortSignal): Promise<JobView> {
    for await (const job of this.client.events({ after: 0, signal })) {
      if (!ids.includes(job.job_id) || job.status !== 'in_progress') continue;
      for await (const line of this.client.logEvents(job.job_id, { signal })) {
        if (line.text.startsWith('step ')) return job;
      }
    }
    throw new Error('no job was ever under way');
  }

  /** The container of the worker that is `node`. */
  async workerOf(node: string): Promise<string> {
    for (const container of await this.containers('worker')) {
      const joined = [...(await run('docker', ['logs', container])).matchAll(/^worker (\w+) has joined/gm)].at(-1)?.[1];
      if (joined !== undefined && node.startsWith(joined)) return container;
    }
    throw new Error(`no container has the worker ${node}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.compose('down', '--volumes', '--timeout', '30');
    rmSync(this.#secrets, { recursive: true });
  }
}
