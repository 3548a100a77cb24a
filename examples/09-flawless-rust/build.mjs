/**
 * Compiles the module. A compiler with the standard library for wasm32-unknown-unknown may be too old to fetch crates by
 * itself (Debian's): then a newer cargo fetches them, by the hashes of Cargo.lock, and the older one builds what is there.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';

const target = 'wasm32-unknown-unknown';
const debian = { cargo: '/usr/bin/cargo', rustc: '/usr/bin/rustc' };

const hasTarget = (rustc) => {
  const { status, stdout } = spawnSync(rustc, ['--print', 'target-libdir', '--target', target], { encoding: 'utf8' });
  return status === 0 && existsSync(stdout.trim());
};

const run = (command, args, env = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } });

const build = ['build', '--quiet', '--release', '--locked', '--target', target, '--target-dir', 'build/target'];

mkdirSync('build', { recursive: true });
if (hasTarget('rustc')) {
  run('cargo', build);
} else if (hasTarget(debian.rustc)) {
  run('cargo', ['vendor', '--quiet', '--locked', 'build/vendor']);
  const vendored = ['source.crates-io.replace-with="vendored"', 'source.vendored.directory="build/vendor"'];
  run(debian.cargo, [...build, '--offline', ...vendored.flatMap((setting) => ['--config', setting])], {
    RUSTC: debian.rustc,
  });
} else {
  throw new Error(`no rustc has the standard library for ${target}`);
}
copyFileSync(`build/target/${target}/release/flawless_rust.wasm`, 'build/fetches.wasm');
