/**
 * Compiles the module. A compiler with the standard library for wasm32-unknown-unknown may be too old to fetch crates by
 * itself (Debian's): then a newer cargo fetches them, by the hashes of Cargo.lock, and the older one builds what is there.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';

const target = 'wasm32-unknown-unknown';
const debian = { cargo: '/usr/bin/cargo', rustc: '/usr/bin/rustc' };

const hasTarget = (rustc) => {
  const { status, stdout } = spawnSync(rustc, ['--print', 'target-libdir', '--target', target], { encoding: 'utf8' });
  return status === 0 && existsSync(stdout.trim());
};

const run = (command, args, env = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });

// Two builds at a time do no harm: each has a folder of its own, and the binary appears whole or not at all.
const work = `build/work.${process.pid}`;
const build = ['build', '--quiet', '--release', '--locked', '--target', target, '--target-dir', `${work}/target`];

const buildWithDebian = () => {
  run('cargo', ['vendor', '--quiet', '--locked', `${work}/vendor`]);
  const vendored = ['source.crates-io.replace-with="vendored"', `source.vendored.directory="${work}/vendor"`];
  const settings = vendored.flatMap((setting) => ['--config', setting]);
  run(debian.cargo, [...build, '--offline', ...settings], { RUSTC: debian.rustc });
};

mkdirSync(work, { recursive: true });
try {
  if (hasTarget('rustc')) run('cargo', build);
  else if (hasTarget(debian.rustc)) buildWithDebian();
  else throw new Error(`no rustc has the standard library for ${target}`);
  renameSync(`${work}/target/${target}/release/flawless_rust.wasm`, 'build/fetches.wasm');
} finally {
  rmSync(work, { recursive: true, force: true });
}
