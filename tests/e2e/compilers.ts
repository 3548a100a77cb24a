/** Which compilers for WebAssembly are here. Languages are optional: a test that needs one that is missing says so. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Languages of the examples whose compiler is not an npm package. */
export type Language = 'C' | 'Rust' | 'Rust with crates' | 'Go';

/** Why `language` can't be compiled to WebAssembly here; false when it can. */
export const lacksCompiler = async (language: Language): Promise<string | false> => {
  switch (language) {
    case 'C':
      return (await compilesC())
        ? false
        : 'clang with wasi-libc is missing (clang lld wasi-libc libclang-rt-*-dev-wasm32)';
    case 'Rust':
      return hasRust() ? false : 'no rustc has the standard library for WASI (rustc libstd-rust-dev-wasm32)';
    case 'Rust with crates':
      return hasCrates()
        ? false
        : 'no cargo with a rustc for wasm32-unknown-unknown (cargo rustc libstd-rust-dev-wasm32)';
    case 'Go':
      return hasGo() ? false : 'Go 1.21 or later is missing';
  }
};

const compilesC = async (): Promise<boolean> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-clang-'));
  try {
    const source = join(folder, 'main.c');
    await writeFile(source, '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n');
    const output = join(folder, 'main.wasm');
    return spawnSync('clang', ['--target=wasm32-wasi', '-O2', '-o', output, source]).status === 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const hasRust = (): boolean =>
  ['rustc', '/usr/bin/rustc'].some((compiler) =>
    ['wasm32-wasip1', 'wasm32-wasi'].some((target) => hasTarget(compiler, target)),
  );

// Debian's compiler needs a newer cargo beside it, which fetches the crates.
const hasCrates = (): boolean => {
  const target = 'wasm32-unknown-unknown';
  const { status, stdout } = spawnSync('cargo', ['--version'], { encoding: 'utf8' });
  const isSparse = status === 0 && Number(/^cargo 1\.(\d+)/.exec(stdout)?.[1]) >= 68;
  return (
    isSparse && (hasTarget('rustc', target) || (hasTarget('/usr/bin/rustc', target) && existsSync('/usr/bin/cargo')))
  );
};

const hasTarget = (compiler: string, target: string): boolean => {
  const { status, stdout } = spawnSync(compiler, ['--print', 'target-libdir', '--target', target], {
    encoding: 'utf8',
  });
  return status === 0 && existsSync(stdout.trim());
};

const hasGo = (): boolean => {
  const { status, stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  const minor = Number(/^go1\.(\d+)/.exec(stdout)?.[1]);
  return status === 0 && minor >= 21;
};
