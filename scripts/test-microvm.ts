/**
 * `npm run test:microvm [-- --if-possible]`: makes the image of a microVM and runs the tests with real machines under QEMU, which translates
 * their instructions: that is slow, and works everywhere. Where QEMU or a program for the image is missing it fails, or, with
 * --if-possible, says why and ends well.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { searchPath } from './microvm/command.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const ifPossible = '--if-possible';
const programs = ['qemu-system-x86_64', 'mke2fs', 'dpkg-deb', 'apt-get', 'unshare', 'lz4', 'zstd', 'xz'] as const;

const isInstalled = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`], { env: { ...process.env, PATH: searchPath } }).status === 0;

const obstacle = (): string | undefined => {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'images are made on Linux on x86-64 only';
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length > 0)
    return `not installed: ${missing.join(', ')} (qemu-system-x86, e2fsprogs, lz4, zstd, xz-utils)`;
  return undefined;
};

const runNode = (script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean =>
  spawnSync(process.execPath, [join(root, script), ...args], {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, ...env },
  }).status === 0;

const main = (args: readonly string[]): boolean => {
  const hindrance = obstacle();
  if (hindrance !== undefined) {
    const isSkipped = args.includes(ifPossible);
    console.error(`The tests of microVMs are ${isSkipped ? 'SKIPPED' : 'not run'}: ${hindrance}.`);
    return isSkipped;
  }
  const image = mkdtempSync(join(tmpdir(), 'mvm-ci-microvm-'));
  try {
    return (
      runNode('scripts/microvm/build-image.ts', ['--out', image]) &&
      runNode('scripts/test.ts', ['tests/microvm'], { MVM_CI_MICROVM_IMAGE: image })
    );
  } finally {
    rmSync(image, { recursive: true });
  }
};

process.exitCode = main(process.argv.slice(2)) ? 0 : 1;
