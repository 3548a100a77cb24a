/** Compiles the example with the first Rust compiler that has the standard library for WASI preview 1. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';

// The target was renamed; Debian's compiler has the old name, and may stand beside another one.
const compilers = [
  ['rustc', 'wasm32-wasip1'],
  ['rustc', 'wasm32-wasi'],
  ['/usr/bin/rustc', 'wasm32-wasi'],
];

const options = ['--edition', '2021', '-C', 'opt-level=2', '-C', 'lto', '-C', 'strip=symbols'];
const complaints = [];
mkdirSync('build', { recursive: true });
for (const [compiler, target] of compilers) {
  const { status, error, stderr } = spawnSync(
    compiler,
    ['--target', target, ...options, '-o', 'build/fetches.wasm', 'src/main.rs'],
    { encoding: 'utf8' },
  );
  if (status === 0) process.exit(0);
  complaints.push(`${compiler} --target ${target}: ${error?.message ?? stderr}`);
}
console.error(complaints.join('\n'));
process.exit(1);
