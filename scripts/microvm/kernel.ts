/** The kernel, out of what Debian ships: as the plain ELF file that QEMU and Firecracker start without unpacking, and its drivers. */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { outputBytesMax, run, UserError } from './command.ts';

/** How kernels are packed: the first bytes, and the program that unpacks them. */
const packings = [
  { magic: '02214c18', program: 'lz4' },
  { magic: '28b52ffd', program: 'zstd' },
  { magic: 'fd377a585a00', program: 'xz' },
  { magic: '1f8b08', program: 'gzip' },
] as const;
const elf = Buffer.from('7f454c46', 'hex');

/** Drivers, in the order in which they need each other. */
const drivers = [
  'virtio_ring',
  'virtio',
  'virtio_mmio',
  'virtio_blk',
  'failover',
  'net_failover',
  'virtio_net',
  'rng-core',
  'virtio-rng',
  'evdev',
  'button',
] as const;

/** A driver as a file that the kernel takes. */
export interface Driver {
  readonly name: string;
  readonly content: Buffer;
}

const unpackFrom = (bytes: Buffer, program: string): Buffer | undefined => {
  // What follows the packed part makes them complain after they have written everything.
  const { stdout } = spawnSync(program, ['-dc'], { input: bytes, maxBuffer: outputBytesMax });
  return stdout?.subarray(0, elf.length).equals(elf) ? stdout : undefined;
};

/** The ELF file within a bzImage. @throws when it is packed in a way that is unknown */
export const kernelImage = (folder: string): Buffer => {
  const [path] = globSync('boot/vmlinuz-*', { cwd: folder });
  if (path === undefined) throw new UserError(`the kernel package holds no boot/vmlinuz-*`);
  const bytes = readFileSync(join(folder, path));
  for (const { magic, program } of packings) {
    const wanted = Buffer.from(magic, 'hex');
    for (let at = bytes.indexOf(wanted); at !== -1; at = bytes.indexOf(wanted, at + 1)) {
      const image = unpackFrom(bytes.subarray(at), program);
      if (image) return image;
    }
  }
  throw new UserError(`${path} can't be unpacked: are lz4, zstd, xz and gzip installed?`);
};

/** The drivers that are not part of the kernel itself. */
export const kernelDrivers = (folder: string): readonly Driver[] => {
  const [list] = globSync('{usr/,}lib/modules/*/modules.builtin', { cwd: folder });
  if (list === undefined) throw new UserError('the kernel package holds no modules.builtin');
  const modules = dirname(list);
  const builtIn = new Set(
    readFileSync(join(folder, list), 'utf8')
      .split('\n')
      .map((line) => basename(line, '.ko')),
  );
  return drivers.flatMap((name) => {
    const [path] = globSync(`${modules}/kernel/**/${name}.ko{,.xz,.zst}`, { cwd: folder });
    if (path !== undefined) return [{ name, content: unpackedDriver(join(folder, path)) }];
    if (builtIn.has(name)) return [];
    throw new UserError(`the kernel package holds no driver ${name}`);
  });
};

const unpackedDriver = (path: string): Buffer => {
  if (path.endsWith('.xz')) return run('xz', ['-dc', path]);
  if (path.endsWith('.zst')) return run('zstd', ['-dc', path]);
  return readFileSync(path);
};
