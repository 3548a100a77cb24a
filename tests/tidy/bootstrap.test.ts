import assert from 'node:assert/strict';
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from './repository.ts';

const folder = mkdtempSync(join(tmpdir(), 'mvm-bootstrap-'));
const bootstrap = join(root, 'scripts/bootstrap.mjs');

after(() => rmSync(folder, { recursive: true, force: true }));

const script = (name: string, code: string): string => {
  const path = join(folder, name);
  writeFileSync(path, code);
  return path;
};

const runScript = (path: string, args: readonly string[] = []): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [bootstrap, path, ...args], { encoding: 'utf8' });

test('a script gets its arguments as they are, on Node 26', () => {
  const path = script(
    'arguments.mjs',
    'console.log(JSON.stringify([process.versions.node, ...process.argv.slice(2)]))',
  );
  const { stdout } = runScript(path, ['--keep', '--', 'a b']);
  const [version, ...args]: string[] = JSON.parse(stdout);
  assert.match(version ?? '', /^26\./);
  assert.deepEqual(args, ['--keep', '--', 'a b']);
});

test('the exit code of a script is handed on', () => {
  assert.equal(runScript(script('exit.mjs', 'process.exit(7)')).status, 7);
});

test('a call without a script says how to use it', () => {
  const { status, stderr } = spawnSync(process.execPath, [bootstrap], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^usage: /);
});

test('SIGTERM reaches the script, which may end in its own way', { timeout: 60_000 }, async () => {
  const path = script(
    'signal.mjs',
    "process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('ready')",
  );
  const child = spawn(process.execPath, [bootstrap, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [5, null]);
});
