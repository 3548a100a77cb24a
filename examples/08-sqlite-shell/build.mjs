/**
 * Fetches the source of SQLite and its shell, which the npm package `sqlite3` carries unchanged, and compiles both for
 * WASI. The package is pinned by its hash, and none of its code is run.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';

const archive = { name: 'sqlite3', version: '5.1.7' };
const sha512 = 'GGIyOiFaG+TUra3JIfkI/zGP8yZYLPQ0pl1bH+ODjiX57sPhrLU5sQJn1y9bDKZUFYkX1crlrPfSYt0BKKdkog==';
const source = 'sqlite-autoconf-3440200';

const run = (command, args) => execFileSync(command, args, { cwd: 'build', stdio: ['ignore', 'ignore', 'inherit'] });

mkdirSync('build', { recursive: true });
const file = `${archive.name}-${archive.version}.tgz`;
if (!existsSync(`build/${file}`)) run('npm', ['pack', '--silent', `${archive.name}@${archive.version}`]);
const received = createHash('sha512')
  .update(readFileSync(`build/${file}`))
  .digest('base64');
if (received !== sha512) throw new Error(`${file} has the hash ${received}, not ${sha512}`);
run('tar', ['-xzf', file, `package/deps/${source}.tar.gz`]);
run('tar', [
  '-xzf',
  `package/deps/${source}.tar.gz`,
  `${source}/shell.c`,
  `${source}/sqlite3.c`,
  `${source}/sqlite3.h`,
]);

run('clang', [
  '--target=wasm32-wasi',
  '-O2',
  '-w',
  '-D_WASI_EMULATED_SIGNAL',
  '-D_WASI_EMULATED_GETPID',
  '-D_WASI_EMULATED_PROCESS_CLOCKS',
  '-lwasi-emulated-signal',
  '-lwasi-emulated-getpid',
  '-lwasi-emulated-process-clocks',
  '-DSQLITE_THREADSAFE=0',
  '-DSQLITE_OMIT_LOAD_EXTENSION',
  '-DSQLITE_OMIT_WAL',
  '-DSQLITE_OMIT_POPEN',
  '-DSQLITE_NOHAVE_SYSTEM',
  '-Wl,--strip-all',
  '-Wl,-z,stack-size=1048576',
  '-o',
  'sqlite-shell.wasm',
  `${source}/shell.c`,
  `${source}/sqlite3.c`,
  '../src/chmod.c',
]);
