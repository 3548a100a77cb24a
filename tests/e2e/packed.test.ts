/** What `npm run pack` makes, in a project outside of this repository: it has the packed packages, and the packages of others that they need. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Scene } from './scene.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const installed = join(root, 'node_modules');
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const deadlineMs = 300_000;

const body = `
  const url = process.argv[2];
  const client = createClient({ url });
  const running = await worker({ url, handlers: { double: (job, ctx) => ctx.run('double', () => job.input * 2) } });
  const { job_id } = await client.publish({ handler: 'double', input: 21 });
  console.log((await client.wait(job_id)).result);
  await running.stop();
`;

const files: Readonly<Record<string, string>> = {
  'module.mjs': `
    import { createClient } from '@mvm-ci/client';
    import { worker } from '@mvm-ci/worker';
    ${body}`,
  'common.cjs': `
    const main = async () => {
      const { createClient } = await import('@mvm-ci/client');
      const { worker } = await import('@mvm-ci/worker');
      ${body}
    };
    void main();`,
  'program.mts': `
    import { createClient, type Client } from '@mvm-ci/client';
    import { NonRetryableError, worker, type Handler } from '@mvm-ci/worker';
    const client: Client = createClient({ url: 'http://localhost:3020' });
    const double: Handler = async (job, ctx) => {
      const given: number = await ctx.run('read', () => 21);
      if (given < 0) throw new NonRetryableError(job.id);
      return given * 2;
    };
    await using running = await worker({ url: client.url, handlers: { double } });
    await client.publish({ handler: 'double', unique: { key: 'k', policy: 'debounce', window_ms: 5 } });
    // @ts-expect-error a job has no such option
    await client.publish({ handler: 'double', delay: 5 });`,
  'workflow.ts': `
    import { log, sleep } from '@mvm-ci/sdk';
    export const nap = async (ms: number): Promise<number> => {
      log.info('good night');
      await sleep(ms);
      return ms;
    };`,
};

describe('the packed packages', () => {
  let project = '';

  before(async () => {
    project = await mkdtemp(join(tmpdir(), 'mvm-ci-packed-'));
    const { stdout } = await run(process.execPath, [join(root, 'scripts/pack.ts'), join(project, 'packed')]);
    const modules = join(project, 'node_modules');
    for (const archive of stdout
      .trim()
      .split('\n')
      .map((path) => path.split(/[\\/]/).at(-1) ?? '')) {
      const folder = join(modules, '@mvm-ci', /^mvm-ci-(\w+)-/.exec(archive)?.[1] ?? archive);
      await mkdir(folder, { recursive: true });
      await run('tar', ['-xzf', join(project, 'packed', archive), '-C', folder, '--strip-components=1']);
    }
    const others = (await readdir(installed)).filter((name) => !['@mvm-ci', 'mvm-ci'].includes(name));
    for (const name of others) await symlink(join(installed, name), join(modules, name));
    for (const [name, text] of Object.entries(files)) await writeFile(join(project, name), text);
  });

  after(() => rm(project, { recursive: true }));

  for (const program of ['module.mjs', 'common.cjs']) {
    it(`run handlers and publish jobs from ${program}`, async () => {
      await using scene = await Scene.start();
      const { stdout } = await run(process.execPath, [join(project, program), scene.cluster.url], {
        timeout: deadlineMs,
      });
      assert.equal(stdout.trim(), '42');
    });
  }

  for (const [module, resolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ] as const) {
    it(`have declarations that are right as they stand, for the module resolution "${resolution}"`, async () => {
      const flags = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'esnext', '--lib', 'esnext,dom'];
      const how = ['--types', 'node', '--module', module, '--moduleResolution', resolution];
      const compiled = run(process.execPath, [compiler, ...flags, ...how, 'program.mts', 'workflow.ts'], {
        cwd: project,
      });
      assert.equal(
        await compiled.then(
          ({ stdout }) => stdout,
          (error: unknown) => textOf(error),
        ),
        '',
      );
    });
  }
});

const textOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'stdout' in error ? String(error.stdout) : String(error);
