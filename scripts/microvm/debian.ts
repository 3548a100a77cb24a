/** Debian's packages, downloaded and unpacked: nothing is installed, and nobody needs to be root. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run, UserError } from './command.ts';

/** The kernel for virtual machines is a package that names the present one. */
const kernelMeta = 'linux-image-cloud-amd64';
/** What Node's binary and iroh are linked with, and the one program for everything else. */
const libraries = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'] as const;

/** What was unpacked. */
export interface DebianParts {
  /** Of the libraries. */
  readonly root: string;
  readonly kernel: string;
  readonly busybox: string;
  /** `name=version` of each package. */
  readonly versions: readonly string[];
}

const kernelPackage = (): string => {
  const depends = String(run('apt-cache', ['depends', kernelMeta]));
  const found = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (found === undefined) throw new UserError(`apt knows no ${kernelMeta}: run apt-get update first`);
  return found;
};

/** Downloads a package into a folder of its own and unpacks it. @returns its name and version */
const unpack = (name: string, folder: string, target: string): string => {
  mkdirSync(folder, { recursive: true });
  mkdirSync(target, { recursive: true });
  run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=', `${name}:amd64`], { cwd: folder });
  const [file] = readdirSync(folder);
  if (file === undefined) throw new UserError(`apt-get download left nothing of ${name}`);
  run('dpkg-deb', ['-x', join(folder, file), target]);
  return `${name}=${String(run('dpkg-deb', ['-f', join(folder, file), 'Version'])).trim()}`;
};

/** Fetches everything of Debian's that an image holds. */
export const fetchDebian = (folder: string): DebianParts => {
  const parts = { root: join(folder, 'libraries'), kernel: join(folder, 'kernel'), busybox: join(folder, 'busybox') };
  const wanted = [
    [kernelPackage(), parts.kernel] as const,
    ['busybox-static', parts.busybox] as const,
    ...libraries.map((name) => [name, parts.root] as const),
  ];
  const versions = wanted.map(([name, target]) => unpack(name, join(folder, 'packages', name), target));
  return { ...parts, versions };
};
