/**
 * The script runtime's binary as it runs: metered. That takes a good part of a second at the start of every process, so the
 * outcome is kept where Node keeps compiled code (`NODE_COMPILE_CACHE`, which our command line sets), if that is anywhere. What is
 * found there counts only when it has the hash below; anything else is as good as nothing.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { blake3, toHex } from '@mvm-ci/protocol';
import { canonicalizeNaN } from './module/canonical-nan.ts';
import { meter } from './module/metering.ts';
import { ModuleEdit } from './module/module-edit.ts';
import { functionsExport } from './module/own-names.ts';
import { externKinds } from './module/wasm-sections.ts';

/** BLAKE3 of each build's binary when it is metered, hex. A test computes them anew; they change with the rules of metering. */
export const meteredHashes: Readonly<Record<string, string>> = {
  'quickjs-ng/0.32.0': 'bf77011dc98ada732287e6de90488847a05eb5259c8bf21ac0bc880025888904',
  'quickjs-ng/0.31.0': '338fb64c62dfe2f270b89e8bb403bcdd07db63b3cdab0d5d9aac2a96e6563798',
};

/** The metered binary of `runtime`. @param original - reads the package's file */
export const meteredRuntime = async (runtime: string, original: () => Promise<Uint8Array>): Promise<Uint8Array> => {
  const [folder, hash] = [process.env['NODE_COMPILE_CACHE'], meteredHashes[runtime]];
  if (folder === undefined || folder === '' || hash === undefined) return metered(await original());
  const path = join(folder, `mvm-ci-${hash}.wasm`);
  const kept = await readFile(path).catch(() => undefined);
  if (kept && toHex(blake3(kept)) === hash) return kept;
  const bytes = metered(await original());
  await keep(folder, path, bytes).catch(() => undefined);
  return bytes;
};

/** The same binary, metered, with its table of functions open to the host. */
export const metered = (original: Uint8Array): Uint8Array => {
  const edit = new ModuleEdit(original);
  meter(edit, canonicalizeNaN);
  edit.addExport(functionsExport, externKinds.table, 0);
  return edit.encode();
};

/** Other processes find the whole file or none. */
const keep = async (folder: string, path: string, bytes: Uint8Array): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, bytes);
  await rename(partial, path);
};
