import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

describe('the client in a browser', () => {
  it('reaches for nothing of Node', () => {
    const index = new URL('../src/index.ts', import.meta.url).href;
    // Whatever a module of Node is imported for, it would be resolved here.
    const program = `
      import { registerHooks } from 'node:module';
      const seen = [];
      registerHooks({ resolve: (name, context, next) => {
        const conditions = context.conditions.filter((one) => one !== 'node');
        const found = next(name, { ...context, conditions });
        seen.push(found.url);
        return found;
      } });
      await import(${JSON.stringify(index)});
      console.log(JSON.stringify(seen));`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('..', import.meta.url)),
    });
    assert.equal(status, 0, stderr);
    const urls: readonly string[] = JSON.parse(stdout);
    assert.ok(
      urls.some((url) => url.endsWith('/global-fetch.ts')),
      stdout,
    );
    assert.deepEqual(
      urls.filter((url) => url.startsWith('node:') || url.includes('/undici')),
      [],
    );
  });
});
