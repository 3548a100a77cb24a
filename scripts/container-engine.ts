/**
 * A Docker engine of our own, for tests on a machine where none runs: in a network namespace, so that the machine's own
 * network and firewall stay as they are, with all its data in one folder, and with a base image that needs no registry:
 * Debian, this Node, and an npm whose cache holds what the lock file names.
 *
 * Owns the namespace, the folder and the daemon; all are gone when it is disposed of.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const programs = ['docker', 'dockerd', 'ip', 'nsenter', 'mmdebstrap'] as const;
const startMsMax = 60_000;
const pollMs = 200;
const debian = 'bookworm';
/** Of the images that are built for tests: the name that NODE_IMAGE gets. */
const baseImage = 'mvm-ci-test/node';

const isInstalled = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)));

/** Why no engine of our own can be started here; undefined when it may be tried. */
export const obstacle = (): string | undefined => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can start a Docker engine';
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (docker.io, iproute2, util-linux, mmdebstrap)`;
  return undefined;
};

/** A running engine. */
export class ContainerEngine implements AsyncDisposable {
  readonly #namespace: string;
  readonly #folder: string;
  readonly #daemon: ChildProcess;

  private constructor(namespace: string, folder: string) {
    this.#namespace = namespace;
    this.#folder = folder;
    const log = openSync(join(folder, 'log'), 'w');
    const data = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')];
    const own = ['--pidfile', join(folder, 'pid'), '-H', this.host];
    this.#daemon = spawn('nsenter', [...this.inside, 'dockerd', ...data, ...own], { stdio: ['ignore', log, log] });
  }

  /** Starts one. @throws with the daemon's last words when it does not start */
  static async start(): Promise<ContainerEngine> {
    const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-docker-'));
    const namespace = `mvm-ci-${process.pid}`;
    execFileSync('ip', ['netns', 'add', namespace]);
    execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
    const engine = new ContainerEngine(namespace, folder);
    try {
      await engine.#answers();
      return engine;
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What DOCKER_HOST must be. */
  get host(): string {
    return `unix://${join(this.#folder, 'socket')}`;
  }

  /** Arguments for nsenter, to run a program where published ports are. */
  get inside(): readonly string[] {
    return [`--net=/run/netns/${this.#namespace}`];
  }

  /** Makes the base image. @returns its name */
  makeBase(): string {
    const tar = debianTar();
    this.#docker('import', tar, 'mvm-ci-test/debian');
    const context = join(this.#folder, 'base');
    mkdirSync(context);
    cpSync(process.execPath, join(context, 'node'));
    cpSync(npmFolder(), join(context, 'npm'), { recursive: true, verbatimSymlinks: true });
    fillNpmCache(join(context, 'cache'));
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    this.#docker('build', '-t', baseImage, context);
    return baseImage;
  }

  #docker(...args: readonly string[]): void {
    execFileSync('docker', [...args], {
      env: { ...process.env, DOCKER_HOST: this.host },
      stdio: ['ignore', 'ignore', 2],
    });
  }

  async #answers(): Promise<void> {
    const deadline = performance.now() + startMsMax;
    while (performance.now() < deadline && this.#daemon.exitCode === null) {
      try {
        execFileSync('docker', ['version'], { env: { ...process.env, DOCKER_HOST: this.host }, stdio: 'ignore' });
        return;
      } catch {
        await delay(pollMs);
      }
    }
    throw new Error(`dockerd does not start:\n${readFileSync(join(this.#folder, 'log'), 'utf8').slice(-2_000)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon.exitCode === null && this.#daemon.signalCode === null) {
      const closed = once(this.#daemon, 'exit');
      this.#daemon.kill('SIGTERM');
      await closed;
    }
    execFileSync('ip', ['netns', 'delete', this.#namespace]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const dockerfile = `FROM mvm-ci-test/debian
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
COPY cache /opt/npm-cache
ENV npm_config_cache=/opt/npm-cache npm_config_offline=true
`;

/** A minimal Debian, made at the first use: that takes a minute. */
const debianTar = (): string => {
  const path = join(root, 'node_modules/.cache/mvm-ci', `${debian}.tar`);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.new.tar`;
  // Node's binary needs libatomic1.
  execFileSync('mmdebstrap', ['--variant=minbase', '--include=libatomic1', debian, fresh], { stdio: 'ignore' });
  execFileSync('mv', [fresh, path]);
  return path;
};

/** The npm that runs this script, or the one of the system. */
const npmFolder = (): string => {
  const script = process.env['npm_execpath'];
  if (script?.endsWith('npm-cli.js') === true) return dirname(dirname(script));
  return join(execFileSync('npm', ['root', '-g'], { encoding: 'utf8' }).trim(), 'npm');
};

/** Installs what an image installs, once, elsewhere: afterwards npm needs no registry for it. */
const fillNpmCache = (cache: string): void => {
  const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-install-'));
  try {
    const files = globSync(
      ['package.json', 'package-lock.json', '.npmrc', 'packages/*/package.json', 'examples/*/package.json'],
      {
        cwd: root,
      },
    );
    for (const file of files) cpSync(join(root, file), join(folder, file));
    const npm = join(npmFolder(), 'bin/npm-cli.js');
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    const args = ['install', '--no-save', '--omit=dev', '--ignore-scripts', '--cache', cache, ...quiet];
    execFileSync(process.execPath, [npm, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 2] });
  } finally {
    rmSync(folder, { recursive: true });
  }
};
