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

/** BLAKE3 of each build's binary when it is metered, hex. A test computes them anew; they change with the rules of metering. */
export const meteredHashes: Readonly<Record<string, string>> = {
  'quickjs-ng/0.32.0': '48d570c297b360e03cd852e6ba9893d6f1437c402eaafe13118ada3f007b7fb7',
  'quickjs-ng/0.31.0': '6c0c6f24a5eb2d5ce6467900188ae24594048bcc83c607f53f2fa75e29cd090e',
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

/** The same binary, metered. */
export const metered = (original: Uint8Array): Uint8Array => {
  const edit = new ModuleEdit(original);
  meter(edit, canonicalizeNaN);
  return edit.encode();
};

/** Other processes find the whole file or none. */
const keep = async (folder: string, path: string, bytes: Uint8Array): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, bytes);
  await rename(partial, path);
};
