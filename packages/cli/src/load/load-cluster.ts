/**
 * The cluster of a load test: a control plane on a fresh folder, engine servers as the option wants them, and workers, each a process of
 * its own on this machine.
 *
 * Owns the processes and the folder.
 *
 * 1. Nothing outlives the disposal, whatever was starting then; nor this process, however it ends.
 * 2. No setting of the caller's reaches the processes: no configuration file, no variable of ours.
 */
import { join } from 'node:path';
import { ScratchFolder } from '@mvm-ci/net';
import { loadLimits } from '../limits.ts';
import { OwnProcess } from './child-process.ts';
import { engineServersOf, type OptionNumber } from './load-plan.ts';
import type { Role } from './report/load-report.ts';

/** What kind of cluster. */
export interface ClusterShape {
  readonly option: OptionNumber;
  readonly engines: number;
  readonly slots: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** A process, and what it is for. */
export interface Member {
  readonly role: Role;
  readonly process: OwnProcess;
}

const anyPort = '127.0.0.1:0';

/** See the head of this file. */
export class LoadCluster implements AsyncDisposable {
  readonly #shape: ClusterShape;
  readonly #folder: ScratchFolder;
  readonly #members: Member[] = [];
  readonly #starting = new Set<Promise<unknown>>();
  readonly #ended = new AbortController();

  private constructor(shape: ClusterShape, folder: ScratchFolder) {
    this.#shape = shape;
    this.#folder = folder;
  }

  /** Starts all but the workers. */
  static async start(shape: ClusterShape): Promise<LoadCluster> {
    const cluster = new LoadCluster(shape, await ScratchFolder.make('mvm-ci-load-'));
    try {
      const { option, engines } = shape;
      await cluster.#start('control-plane', [
        'control-plane',
        '--data',
        cluster.#path('data'),
        '--http',
        anyPort,
        '--bind',
        anyPort,
        ...controlPlaneArgs(option),
      ]);
      const servers = Array.from({ length: engineServersOf(option, engines) }, () => [
        'flawless',
        'up',
        '--jobs',
        'off',
        '--http',
        anyPort,
      ]);
      await Promise.all(servers.map((args) => cluster.#start('engine', args)));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Base URL of the HTTP API. */
  get url(): string {
    return this.#controlPlane.field('http');
  }

  get workers(): number {
    return this.#of('worker').length;
  }

  /** Starts workers until there are `count`, a few at a time. */
  async growTo(count: number): Promise<void> {
    let next = this.workers;
    const lane = async (): Promise<void> => {
      for (let number = next++; number < count; number = next++) await this.#startWorker(number + 1);
    };
    await Promise.all(Array.from({ length: loadLimits.startsAtOnce }, lane));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await Promise.allSettled(this.#starting);
    await Promise.all(this.#members.map((member) => member.process.end()));
    await this.#folder[Symbol.asyncDispose]();
  }

  get #controlPlane(): OwnProcess {
    const [found] = this.#of('control-plane');
    if (found === undefined) throw new Error('the cluster has no control plane');
    return found;
  }

  #of(role: Role): readonly OwnProcess[] {
    return this.#members.filter((member) => member.role === role).map((member) => member.process);
  }

  #path(name: string): string {
    return join(this.#folder.path, name);
  }

  async #startWorker(number: number): Promise<void> {
    const ticket = this.#controlPlane.field('ticketFile');
    const place = this.#enginePlace();
    const more = place === undefined ? [] : ['--flawless-url', place];
    const args = ['worker', '--ticket', ticket, '--name', `load-${number}`, '--slots', String(this.#shape.slots)];
    await this.#start('worker', [...args, '--bind', anyPort, ...more]);
  }

  #enginePlace(): string | undefined {
    switch (this.#shape.option) {
      case 1:
        return undefined;
      case 2:
        return 'iroh+h3://control-plane';
      case 3:
        return this.#of('engine')
          .map((server) => server.field('http'))
          .join(',');
      case 4:
        return this.#controlPlane.field('flawless');
    }
  }

  async #start(role: Role, args: readonly string[]): Promise<void> {
    const signal = AbortSignal.any([this.#shape.signal, this.#ended.signal]);
    const started = OwnProcess.start({ args, env: plainEnv(this.#shape.env), cwd: this.#folder.path, signal });
    this.#starting.add(started);
    try {
      this.#members.push({ role, process: await started });
    } finally {
      this.#starting.delete(started);
    }
  }
}

const controlPlaneArgs = (option: OptionNumber): readonly string[] => {
  switch (option) {
    case 1:
    case 3:
      return ['--flawless', 'off', '--engine', 'off'];
    case 2:
      return ['--flawless', 'off', '--engine', 'on'];
    case 4:
      return ['--flawless', anyPort, '--engine', 'off'];
  }
};

const ours = /^(MVM_CI_|FLAWLESS_|CONTROL_PLANE_|HTTP_PORT$|RUST_LOG$)/;

const plainEnv = (env: ClusterShape['env']): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined || ours.test(name) ? [] : [[name, value]])),
  );
