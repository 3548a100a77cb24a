/**
 * `scripts/build-worker-image [OPTIONS]`: makes a microVM's kernel, first file system and root file system, for a worker that has
 * an engine of its own. docs/guides/deploy-microvm.md is the guide.
 */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { addApplication } from './application.ts';
import { fail, run, UserError } from './command.ts';
import { fetchDebian, type DebianParts } from './debian.ts';
import { makeFileSystem } from './file-system.ts';
import { initramfs } from './initramfs.ts';
import { kernelDrivers, kernelImage } from './kernel.ts';
import { warmUp } from './warm-up.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const deploy = join(repository, 'deploy/microvm');
const programs = ['apt-get', 'apt-cache', 'dpkg-deb', 'mke2fs', 'unshare', 'npm', 'lz4', 'zstd', 'xz'] as const;
const mountPoints = ['data', 'dev', 'proc', 'root', 'run', 'sys', 'tmp', 'var'] as const;
const kilo = 1024;

const usage = `usage: scripts/build-worker-image [--out FOLDER]

Makes the image of a microVM in which a worker runs with an engine of its own:

  vmlinux      Debian's kernel for virtual machines
  initramfs    its drivers, and the program that finds the root
  root.ext4    the read-only root: Node, mvm-ci, busybox and four libraries
  image.json   what is in them, and their checksums

  --out FOLDER   where they are put (default .mvm-ci/microvm)

It needs Debian 12 or later on x86-64, its mirror and npm's registry, and the packages e2fsprogs, lz4, zstd and xz-utils, but no root.
Settings: SOURCE_DATE_EPOCH (the time of all files in it, in seconds; default: of the last commit).`;

const checkMachine = (): void => {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new UserError(`images are made on Linux on x86-64, not on ${process.platform}-${process.arch}`);
  for (const program of programs) run('sh', ['-c', `command -v ${program}`]);
};

/** The time that all files get: of the last commit, so that the same sources make the same image. */
const sourceSeconds = (): number => {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined) return Number(given);
  try {
    return Number(String(run('git', ['-C', repository, 'log', '-1', '--format=%ct'])));
  } catch {
    return 0;
  }
};

const makeTree = (tree: string, debian: DebianParts): void => {
  cpSync(debian.root, tree, { recursive: true, verbatimSymlinks: true });
  for (const unused of ['usr/share', 'etc', 'usr/sbin', 'sbin'])
    rmSync(join(tree, unused), { recursive: true, force: true });
  cpSync(join(deploy, 'root'), tree, { recursive: true });
  for (const folder of [...mountPoints, 'bin', 'sbin']) mkdirSync(join(tree, folder), { recursive: true });
  const busybox = join(tree, 'bin/busybox');
  cpSync(join(debian.busybox, 'bin/busybox'), busybox);
  for (const name of String(run(busybox, ['--list']))
    .trim()
    .split('\n'))
    if (name !== 'busybox') symlinkSync('busybox', join(tree, 'bin', name));
  for (const name of ['init', 'poweroff', 'reboot']) symlinkSync('/bin/busybox', join(tree, 'sbin', name));
  symlinkSync('/run/resolv.conf', join(tree, 'etc/resolv.conf'));
  addApplication(repository, tree);
};

const makeInitramfs = (debian: DebianParts): Buffer => {
  const drivers = kernelDrivers(debian.kernel);
  const order = drivers.map(({ name }) => `${name}.ko\n`).join('');
  return initramfs([
    { path: 'init', content: readFileSync(join(deploy, 'initramfs-init')), isExecutable: true },
    { path: 'bin/busybox', content: readFileSync(join(debian.busybox, 'bin/busybox')), isExecutable: true },
    { path: 'lib/modules/order', content: Buffer.from(order), isExecutable: false },
    ...drivers.map(({ name, content }) => ({ path: `lib/modules/${name}.ko`, content, isExecutable: false })),
  ]);
};

const describe = (folder: string, name: string): { readonly bytes: number; readonly sha256: string } => ({
  bytes: statSync(join(folder, name)).size,
  sha256: createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex'),
});

const build = async (out: string, work: string): Promise<void> => {
  const seconds = sourceSeconds();
  console.log('Fetching the kernel and the libraries from Debian');
  const debian = fetchDebian(work);
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'vmlinux'), kernelImage(debian.kernel));
  writeFileSync(join(out, 'initramfs'), makeInitramfs(debian));
  console.log('Installing mvm-ci and Node');
  const tree = join(work, 'root');
  makeTree(tree, debian);
  console.log('Starting a worker from it, which leaves its compiled code');
  await warmUp(tree);
  console.log('Making the file system');
  makeFileSystem(tree, join(out, 'root.ext4'), seconds);
  chmodSync(join(out, 'root.ext4'), 0o444);
  const files = Object.fromEntries(['vmlinux', 'initramfs', 'root.ext4'].map((name) => [name, describe(out, name)]));
  writeFileSync(join(out, 'image.json'), `${JSON.stringify({ files, debian: debian.versions }, undefined, 2)}\n`);
  for (const [name, { bytes }] of Object.entries(files))
    console.log(`${name.padEnd(12)} ${(bytes / kilo / kilo).toFixed(1)} MiB`);
};

const main = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: { out: { type: 'string', default: '.mvm-ci/microvm' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) return console.log(usage);
  checkMachine();
  const work = mkdtempSync(join(tmpdir(), 'mvm-ci-image-'));
  try {
    await build(resolve(values.out), work);
  } finally {
    rmSync(work, { recursive: true });
  }
};

try {
  await main(process.argv.slice(2));
} catch (error) {
  fail('build-worker-image', error);
}
