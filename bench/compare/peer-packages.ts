/**
 * The peers' packages, which are no dependencies of ours: exact versions, installed with npm when they are first needed, into
 * a cache folder outside the repository. The folder's name says which versions it holds, and it gets that name when it is
 * complete.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ScratchFolder } from '@mvm-ci/net';
import { runProgram } from './kept-program.ts';

const versions = {
  bullmq: '6.7.0',
  ioredis: '5.9.3',
  'graphile-worker': '0.18.0',
  pg: '8.23.1',
  'pg-boss': '12.38.0',
} as const;

const specs = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
const cache = join(homedir(), '.cache', 'mvm-ci', 'bench-compare');
const folder = join(cache, createHash('sha256').update(specs.join(' ')).digest('hex').slice(0, 16));
const installMsMax = 300_000;

/** Loads the peers' packages. */
export class PeerPackages {
  readonly #require: NodeJS.Require = createRequire(join(folder, 'index.js'));

  /** @typeParam Module - what the adapter uses of the package, as its documentation describes it */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the adapter says what it uses
  load<Module>(name: keyof typeof versions): Module {
    // oxlint-disable-next-line typescript/no-unsafe-return -- the package's types are not installed with the workspace
    return this.#require(name);
  }
}

/** Whether the packages are there. */
export const areInstalled = (): boolean => existsSync(folder);

/** Installs the packages unless they are there. No script of theirs runs. @throws what npm objects to */
export const installPeers = async (say: (text: string) => void, signal: AbortSignal): Promise<void> => {
  if (areInstalled()) return;
  say(`installing ${specs.join(', ')} with npm into ${folder}, once`);
  await mkdir(cache, { recursive: true });
  await using beginning = await ScratchFolder.make('installing-', cache);
  const args = ['install', '--prefix', beginning.path, '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact'];
  const timely = AbortSignal.any([signal, AbortSignal.timeout(installMsMax)]);
  await runProgram({ program: 'npm', args: [...args, ...specs], cwd: beginning.path }, timely);
  if (!areInstalled()) await rename(beginning.path, folder);
};
