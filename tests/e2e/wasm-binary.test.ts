import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { wasiProgram, wasmFromText } from '@mvm-ci/testkit';
import { mvmCi } from './command.ts';
import { lacksCompiler } from './compilers.ts';
import { Scene } from './scene.ts';

const deadlineMs = 240_000;

const archive = fileURLToPath(new URL('../../examples/08-sqlite-shell/build/sqlite3-5.1.7.tgz', import.meta.url));

/** Why SQLite can't be built here; false when it can. Its source comes from the package registry. */
const lacksSqlite = async (): Promise<string | false> => {
  const lacks = await lacksCompiler('C');
  if (lacks !== false || existsSync(archive)) return lacks;
  const { status } = spawnSync('npm', ['view', 'sqlite3@5.1.7', 'version'], { timeout: 60_000 });
  return status === 0 ? false : 'no package registry can be reached, and the source of SQLite is not here yet';
};

describe('a WebAssembly binary by itself', () => {
  it('is deployed by the command line, called as its file, and run', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const folder = await mkdtemp(join(tmpdir(), 'mvm-wasm-'));
    try {
      const path = join(folder, 'answer.wasm');
      const main = '(call $sleep_ms (i64.const 1)) (call $out (global.get $text) (global.get $text_len))';
      await writeFile(path, await wasiProgram({ data: { text: '{"answer":42}' }, main }));
      await using scene = await Scene.start({ workers: 1 });
      const deployed = await mvmCi(['deploy', path, '--url', scene.cluster.url], signal);
      assert.equal(deployed.code, 0, deployed.stderr);
      assert.match(deployed.stdout, /answer@0\.0\.0/);
      const [id = ''] = await scene.publish([{ workflow: 'answer', input: null }]);
      const ended = await scene.ended(id, signal);
      assert.deepEqual([ended.status, ended.result], ['completed', { answer: 42 }], JSON.stringify(ended.error));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('is refused by the command line when it is of no kind, or imports what no guest has', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const folder = await mkdtemp(join(tmpdir(), 'mvm-wasm-'));
    try {
      await using scene = await Scene.start({ workers: 0 });
      const refusal = async (text: string): Promise<string> => {
        const path = join(folder, 'wrong.wasm');
        await writeFile(path, await wasmFromText(text));
        const { code, stderr } = await mvmCi(['deploy', path, '--url', scene.cluster.url], signal);
        assert.notEqual(code, 0);
        return stderr;
      };
      const main = '(memory (export "memory") 1) (func (export "_start"))';
      assert.match(await refusal('(module (func (export "add")))'), /BUILD_FAILED.*exports add/s);
      assert.match(
        await refusal(`(module (import "env" "system" (func)) ${main})`),
        /MODULE_UNKNOWN_IMPORT.*"env\.system" \(at offset \d+\)/s,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("SQLite's shell", { skip: await lacksSqlite() }, () => {
  it('runs unchanged as a workflow: a job is a script of SQL', async () => {
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('sqlite-shell');
    const signal = AbortSignal.timeout(deadlineMs);
    const run = async (input: string): ReturnType<Scene['ended']> => {
      const [id = ''] = await scene.publish([{ workflow: 'sqlite-shell', input }]);
      return scene.ended(id, signal);
    };

    const script = [
      '.mode json',
      '.open /tmp/primes.db',
      'create table candidate(n integer primary key);',
      'with recursive c(n) as (select 2 union all select n + 1 from c where n < 5000) insert into candidate select n from c;',
      'select count(*) as primes, max(n) as largest from candidate a',
      ' where not exists (select 1 from candidate b where b.n * b.n <= a.n and a.n % b.n = 0);',
    ];
    const primes = await run(script.join('\n'));
    assert.deepEqual(primes.result, [{ primes: 669, largest: 4_999 }], JSON.stringify(primes.error));

    const text = await run('select sqlite_version();');
    assert.equal(text.result, '3.44.2');

    const wrong = await run('select * from nowhere;');
    assert.partialDeepStrictEqual(wrong.error, { code: 'PROGRAM_FAILED' });
    const logs = await scene.client.journal(wrong.job_id);
    assert.match(JSON.stringify(logs.entries), /no such table: nowhere/);
  });
});
