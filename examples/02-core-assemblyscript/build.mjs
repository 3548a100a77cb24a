/**
 * Compiles the guest with AssemblyScript into build/core-fetches.wasm. The binary appears there whole or not at all, so
 * that two builds at a time do no harm.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { main } from 'assemblyscript/asc';

process.chdir(import.meta.dirname);
// No runtime, no imports: abort becomes a trap. What a workflow allocates stays until its end.
const options = ['--outFile', 'guest.wasm', '--runtime', 'stub', '--use', 'abort=', '-O'];
let wasm;
const { error } = await main(['assembly/index.ts', ...options], {
  stderr: process.stderr,
  writeFile: (_name, contents) => {
    wasm = contents;
  },
});
if (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} else {
  await mkdir('build', { recursive: true });
  const half = `build/core-fetches.${process.pid}.wasm`;
  await writeFile(half, wasm);
  await rename(half, 'build/core-fetches.wasm');
}
