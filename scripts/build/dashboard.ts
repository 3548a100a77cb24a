/**
 * Builds the dashboard's files into `packages/dashboard/dist`, which git ignores and the control plane serves.
 *
 * 1. What was built from the same sources is left as it is: the stamp beside the files is a hash of them.
 * 2. Builds side by side write the same files, and the stamp comes last: none hinders another.
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'packages/dashboard');
const dist = join(folder, 'dist');
const stamp = join(dist, 'built-from.txt');

/** What the files are made from; the lock file names the versions of the libraries. */
const sources = [
  'packages/dashboard/{index.html,package.json,tsconfig.json}',
  'packages/dashboard/src/**/*.*',
  'packages/protocol/src/**/*.ts',
  'scripts/build/dashboard.ts',
  'package-lock.json',
];

/** Builds it if it isn't built. @returns whether anything had to be done */
export const buildDashboard = async (): Promise<boolean> => {
  const hash = sourceHash();
  if (readStamp() === hash) return false;
  const output = await build({
    configFile: false,
    root: folder,
    base: '/dashboard/',
    logLevel: 'warn',
    build: {
      outDir: dist,
      emptyOutDir: false,
      // A preload's helper would be a script in the page, which its policy refuses.
      modulePreload: false,
      assetsInlineLimit: 0,
      // Of the protocol only its paths are used: its schemas would be most of the program.
      rolldownOptions: { treeshake: { moduleSideEffects: (id) => !id.includes('/packages/protocol/') } },
    },
  });
  const made = new Set(
    [output].flat().flatMap((one) => ('output' in one ? one.output.map((file) => file.fileName) : [])),
  );
  for (const name of globSync('assets/*', { cwd: dist }))
    if (!made.has(name)) rmSync(join(dist, name), { force: true });
  writeFileSync(stamp, hash);
  return true;
};

const sourceHash = (): string => {
  const hash = createHash('sha256');
  for (const path of globSync(sources, { cwd: root }).sort()) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0');
  }
  return hash.digest('hex');
};

const readStamp = (): string | undefined => {
  try {
    return readFileSync(stamp, 'utf8');
  } catch {
    return undefined;
  }
};
