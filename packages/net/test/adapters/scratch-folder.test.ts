import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ScratchFolder } from '../../src/index.ts';

const holder = fileURLToPath(new URL('../fixtures/scratch-holder.ts', import.meta.url));
const pollMs = 50;

test('a scratch folder is empty, and gone with all that is in it when its disposal returns', async () => {
  const folder = await ScratchFolder.make('mvm-ci-test-');
  await mkdir(join(folder.path, 'a', 'b'), { recursive: true });
  await writeFile(join(folder.path, 'a', 'b', 'file'), 'text');
  await folder[Symbol.asyncDispose]();
  assert.ok(!existsSync(folder.path));
  await folder[Symbol.asyncDispose]();
});

test('a scratch folder is removed when its process is killed', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [holder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed]: unknown[] = await once(child.stdout, 'data');
  const path = String(printed).trim();
  assert.ok(existsSync(join(path, 'file')));
  child.kill('SIGKILL');
  while (existsSync(path)) await pause(pollMs);
});
