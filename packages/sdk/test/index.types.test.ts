import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const tsc = join(root, 'node_modules/.bin/tsc');
const run = promisify(execFile);

const options = {
  target: 'esnext',
  lib: ['esnext'],
  types: ['@mvm-ci/sdk/globals'],
  module: 'nodenext',
  noEmit: true,
  // The SDK is TypeScript source here, and declarations where it is installed.
  allowImportingTsExtensions: true,
  strict: true,
};

// In this folder, so that the compiler finds the SDK as an author's would.
const folder = await mkdtemp(join(fileURLToPath(new URL('.', import.meta.url)), 'types-'));
after(() => rm(folder, { recursive: true }));

/** What the compiler says about a workflow's file; '' for nothing. */
const complaintsAbout = async (source: string): Promise<string> => {
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['flow.ts'] }));
  await writeFile(join(folder, 'flow.ts'), source);
  try {
    await run(process.execPath, [tsc, '-p', folder]);
    return '';
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
};

describe('the types of a workflow', { timeout: 120_000 }, () => {
  it('know all globals without the DOM’s or Node’s types', async () => {
    const complaints = await complaintsAbout(`
      import { EffectError, job, log, now, progress, sleep } from '@mvm-ci/sdk';
      export const flow = async (input: { readonly url: string }): Promise<unknown> => {
        const signal = AbortSignal.any([AbortSignal.timeout(5), new AbortController().signal]);
        const response = await fetch(new URL('x', input.url), { method: 'POST', body: 'x', signal, idempotent: true, idempotencyKey: 'k', timeoutMs: 5 });
        await sleep(5, { signal });
        progress(50, crypto.randomUUID());
        log.info(new TextEncoder().encode('x'), performance.now(), now(), job().id);
        const timer = setTimeout((text: string) => console.log(text), 5, 'later');
        clearTimeout(timer);
        if (response.headers.get('x') === null) throw new EffectError({ code: 'X', message: btoa('x') });
        return structuredClone([...new URLSearchParams({ a: '1' }), await response.text(), Math.random(), new Date()]);
      };`);
    assert.equal(complaints, '');
  });

  it('fit every example of the guide for authors', async () => {
    const guide = await readFile(join(root, 'docs/guides/workflows.md'), 'utf8');
    const examples = [...guide.matchAll(/```ts\n(.*?)```/gs)].map(([, source = '']) => source);
    assert.ok(examples.length > 5);
    for (const example of examples) assert.equal(await complaintsAbout(`export {};\n${example}`), '', example);
  });

  it('complain about what a workflow does not have', async () => {
    assert.match(
      await complaintsAbout('export const flow = async () => process.exit(1);'),
      /Cannot find name 'process'/,
    );
    assert.match(
      await complaintsAbout("export const flow = async () => fetch('x', { keepalive: true });"),
      /keepalive/,
    );
  });
});
