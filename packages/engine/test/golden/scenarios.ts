/** What golden journals are recorded of. A scenario is only ever added: what was recorded of it stays, whatever becomes of this file. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeModule, type Answer, type ErrorRecord, type InboxBody, type ModuleFile } from '@mvm-ci/protocol';
import {
  coreModule,
  encodeWireIntents,
  flawlessModule,
  scriptedCore,
  wasiModule,
  wasiProgram,
  workflowModule,
} from '@mvm-ci/testkit';
import type { OutwardEffect } from '../../src/index.ts';

/** One run to record. */
export interface Scenario {
  readonly module: () => ModuleFile | Promise<ModuleFile>;
  readonly input?: unknown;
  /** In the inbox from the beginning. @default nothing */
  readonly inbox?: readonly InboxBody[];
  /** @default 200 with the URL as the body */
  readonly answer?: (url: string) => Answer;
}

const fetched = (url: string): Answer => ({
  type: 'fetched',
  response: {
    status: 200,
    statusText: 'OK',
    url,
    redirected: false,
    headers: [['content-type', 'text/plain']],
    body: new TextEncoder().encode(url),
  },
});

const answers: Readonly<Record<string, Answer>> = {
  'http://site/broken': { type: 'error', code: 'CONNECTION_LOST', message: 'the connection was lost' },
  'http://site/moved': {
    type: 'fetched',
    response: {
      status: 404,
      statusText: 'Not Found',
      url: 'http://site/there',
      redirected: true,
      headers: [],
      body: new Uint8Array([0, 255]),
    },
  },
  'http://site/blob': {
    type: 'fetched',
    response: {
      status: 200,
      statusText: '',
      url: 'http://site/blob',
      redirected: false,
      headers: [],
      body: new Uint8Array(),
      blob: { hash: 'ab'.repeat(32), bytes: 12 },
    },
  },
};

/** What a recorded request is answered with. */
export const answerOf = (url: string): Answer => answers[url] ?? fetched(url);

/** What becomes of effects inside the system: one child of each end, and one that is refused. */
export const applied = (effect: OutwardEffect, put: (body: InboxBody) => unknown): ErrorRecord | undefined => {
  if (effect.type !== 'start') return undefined;
  if (effect.workflow === 'taken') return { code: 'JOB_EXISTS', message: 'another job has the id' };
  const outcome =
    effect.workflow === 'fails'
      ? ({ type: 'failed', code: 'WORKFLOW_FAILED', message: 'as it was told' } as const)
      : effect.workflow === 'ends'
        ? ({ type: 'cancelled', reason: 'not needed' } as const)
        : ({ type: 'completed', result: '{"a":[1,null]}' } as const);
  put({ type: 'child', job: effect.job, outcome });
  return undefined;
};

const older = (module: ModuleFile): ModuleFile => ({ ...module, runtime: 'quickjs-ng/0.31.0' });

const everything = `
  emit({ type: 'log', level: 'debug', text: 'begins at ' + Date.now() });
  emit({ type: 'group', action: 'open', id: 1, name: 'requests' });
  const [one, broken, moved] = await Promise.all([
    get('http://site/one', { headers: [['x-key', 'mvm-secret.TOKEN.']], key: 'own' }),
    get('http://site/broken', { idempotent: true, redirect: 'error' }),
    get('http://site/moved', { method: 'POST', body: { utf8: 'ü' }, redirect: 'manual', timeoutMs: 500 })]);
  emit({ type: 'group', action: 'close', id: 1, name: '' });
  emit({ type: 'progress', percent: 50, text: 'half' });
  emit({ type: 'log', level: 'warn', text: broken.error.code });
  call({ type: 'sleep', ms: 1000000 });
  abandon(4);
  await sleep(3);
  emit({ type: 'log', level: 'error', text: 'ends' });
  return { status: moved.fetched.status, random: [Math.random(), Math.random()], input };`;

const inside = `
  const start = (job, workflow, detached = false) =>
    call({ type: 'start', job, workflow, input: { of: workflow }, attemptsMax: 2, detached });
  emit({ type: 'respond', value: { early: true } });
  const [a, b, c, refused] = await Promise.all([start(null, 'works'), start('own', 'fails'), start(null, 'ends', true), start('taken', 'taken')]);
  await call({ type: 'send', job: 'other', messageType: 'hello', data: [1] });
  const ends = await Promise.all([a, b, c].map(({ started }) => call({ type: 'join', job: started.job })));
  const first = await call({ type: 'receive', types: ['go', 'stop'] });
  const second = await call({ type: 'receive', types: null });
  return [refused.error.code, ends.map(({ joined }) => joined), first.message, second.message];`;

const versioned = `
  const known = await new Promise((resolve) => { globalThis.told = resolve; emit({ type: 'version', change: 'new-way' }); });
  await sleep(known ? 1 : 2);
  return known;`;

/** A script that is told of a version within its step. */
const versionModule = (): ModuleFile => {
  const module = workflowModule(versioned);
  const text = new TextDecoder().decode(module.code);
  const code = text.replace(
    'else { const resolve',
    "else if (event.type === 'version') told(event.chosen); else { const resolve",
  );
  return { ...module, code: new TextEncoder().encode(code) };
};

const fetchOf = (call: number, url: string): Parameters<typeof encodeWireIntents>[0][number] => ({
  type: 'fetch',
  call,
  method: 'GET',
  url,
  headers: [['accept', '*/*']],
  body: null,
  redirect: 'follow',
  timeoutMs: 1_000,
  idempotent: null,
  key: null,
});

const core = (): ModuleFile =>
  coreModule(
    scriptedCore([
      encodeWireIntents([{ type: 'log', level: 'info', text: 'begins' }, fetchOf(1, 'http://site/core')]),
      encodeWireIntents([{ type: 'sleep', call: 2, ms: 1 }]),
      encodeWireIntents([{ type: 'complete', result: '{"done":true}' }]),
    ]),
  );

const sdkSource = `
import { all, group, log, progress, random, receive, run, saga, secret, send, sleep, uuid, version } from '@mvm-ci/sdk';
export async function order(input: { readonly url: string }): Promise<unknown> {
  log.info('begins', uuid(), random());
  const done = await group('fetch', () => Promise.all([
    fetch(input.url, { headers: { authorization: \`Bearer \${secret('TOKEN')}\` } }).then((response) => response.text()),
    fetch(input.url + '/broken').catch((error: { readonly code: string }) => error.code)]));
  progress(50, 'half');
  await sleep(2);
  await Promise.race([sleep(1), sleep(100000)]);
  const child = await run('works', { of: done });
  await send('other', 'hello', [crypto.randomUUID(), new Date().toISOString()]);
  const message = await receive(['go'], { timeoutMs: 1000 });
  const undone: string[] = [];
  await saga(async ({ compensate }) => {
    compensate(async () => { undone.push('first'); await sleep(1); });
    throw new Error('not this way');
  }).catch((error: Error) => log.warn(error.message));
  const isNew = await version('new-way');
  return { done, child, message: message?.data, undone, isNew, sum: await all([async () => 1, async () => 2]) };
}
`;

/** What the SDK and the bundler made of a source when it was recorded. */
const sdkModule = (): ModuleFile => {
  const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-golden-'));
  try {
    const [source, out] = [join(folder, 'order.ts'), join(folder, 'order.mvm')];
    writeFileSync(source, sdkSource);
    const cli = fileURLToPath(new URL('../../../cli/bin/mvm-ci.mjs', import.meta.url));
    execFileSync(process.execPath, [cli, 'build', source, '--out', out], { stdio: 'pipe' });
    return decodeModule(new Uint8Array(readFileSync(out)));
  } finally {
    rmSync(folder, { recursive: true });
  }
};

const inbox: readonly InboxBody[] = [
  { type: 'message', from: null, messageType: 'go', data: '{"by":"ann"}' },
  { type: 'message', from: 'sender', messageType: 'other', data: 'null' },
];

/** By the name of their file. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'script-effects': { module: () => workflowModule(everything), input: { a: ['ü', 1.5, null] } },
  'script-inside': { module: () => workflowModule(inside), inbox },
  'script-version': { module: versionModule },
  'script-blobs': {
    module: () =>
      workflowModule(
        "const got = await get('http://site/blob', { into: 'blob' }); await get('http://site/put', { method: 'PUT', bodyBlob: 'cd'.repeat(32) }); return got.fetched.blob;",
      ),
  },
  'script-throws': { module: () => workflowModule("await sleep(1); throw new RangeError('as it was told');") },
  'script-faulty': { module: () => workflowModule("await sleep(1); emit({ type: 'nothing of ours' }); return 1;") },
  'script-stuck': { module: () => workflowModule('await sleep(1); await new Promise(() => {});') },
  'script-older-effects': { module: () => older(workflowModule(everything)), input: [] },
  'script-older-throws': { module: () => older(workflowModule("await sleep(1); null.of('nothing');")) },
  'sdk-workflow': { module: sdkModule, input: { url: 'http://site/sdk' }, inbox },
  core: { module: core },
  'wasi-sleeps': {
    module: async () =>
      wasiModule(
        await wasiProgram({
          data: { woken: 'woken\n', submitted: encodeWireIntents([fetchOf(1, 'http://site/wasi')]) },
          main: `
            (call $sleep_ms (i64.const 1))
            (call $err (global.get $woken) (global.get $woken_len))
            (drop (call $random_get (i32.const 1024) (i32.const 4)))
            (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 1024)))
            (call $out (global.get $woken) (global.get $woken_len))`,
        }),
      ),
  },
  'wasi-fails': { module: async () => wasiModule(await wasiProgram({ main: '(call $proc_exit (i32.const 3))' })) },
  flawless: {
    module: () =>
      flawlessModule({
        commands: ['GetInput', 'TimeNow', { Sleep: { secs: 0, nanos: 1_500_000 } }, { SendResponse: '{"order":1}' }],
      }),
    input: { a: 'ü' },
  },
};
