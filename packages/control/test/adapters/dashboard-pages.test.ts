import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startControlPlane } from '../../src/control-plane.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

/** A control plane that demands a token, with the dashboard's files in `files`. */
const start = async (stack: AsyncDisposableStack): Promise<{ readonly url: string; readonly files: string }> => {
  const folder = stack.use(new TemporaryFolder());
  const files = join(folder.path, 'files');
  const plane = await startControlPlane({
    data: join(folder.path, 'data'),
    http: { port: 0 },
    token: 'secret',
    dashboard: files,
    peer: { bind: ['127.0.0.1:0'] },
    admit: (file) => Promise.resolve({ workflows: file.workflows }),
  });
  stack.use(plane);
  return { url: plane.httpUrl, files };
};

const build = (files: string): void => {
  mkdirSync(join(files, 'assets'), { recursive: true });
  writeFileSync(join(files, 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(join(files, 'assets/index-1.js'), 'export {};');
};

const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };

test('a checkout says that the dashboard is not built and how it is, until it is', async () => {
  await using stack = new AsyncDisposableStack();
  const { url, files } = await start(stack);
  const before = await fetch(`${url}/dashboard/`);
  assert.equal(before.status, 503);
  assert.match(await before.text(), /"npm run build"/);
  build(files);
  assert.equal((await fetch(`${url}/dashboard/`)).status, 200);
});

test('the files need no token, and what they ask of the API does', async () => {
  await using stack = new AsyncDisposableStack();
  const { url, files } = await start(stack);
  build(files);
  for (const path of ['/dashboard', '/dashboard/', '/dashboard/jobs/a.js', '/dashboard/assets/index-1.js'])
    assert.equal((await fetch(`${url}${path}`)).status, 200, path);
  assert.equal((await fetch(`${url}/queue/stats`)).status, 401);
  assert.equal((await fetch(`${url}/dashboard/`, { method: 'POST' })).status, 401);
  const escaped = await fetch(`${url}/dashboard/assets/..%2f..%2fdata%2foperator.token`);
  assert.equal(escaped.status, 404);
});

test('a browser at the root gets the dashboard, a program the API', async () => {
  await using stack = new AsyncDisposableStack();
  const { url, files } = await start(stack);
  build(files);
  const page = await fetch(`${url}/`, { headers: html });
  assert.equal(new URL(page.url).pathname, '/dashboard/');
  assert.equal((await fetch(`${url}/`)).status, 401);
  const info = await fetch(`${url}/`, { headers: { authorization: 'Bearer secret', accept: 'application/json' } });
  assert.equal(info.headers.get('content-type'), 'application/json');
});

test('what has its hash in its name is kept for ever, the page is asked for again each time', async () => {
  await using stack = new AsyncDisposableStack();
  const { url, files } = await start(stack);
  build(files);
  const page = await fetch(`${url}/dashboard/`);
  assert.equal(page.headers.get('cache-control'), 'no-cache');
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'; style-src 'self'; /);
  const again = await fetch(`${url}/dashboard/`, { headers: { 'if-none-match': page.headers.get('etag') ?? '' } });
  assert.equal(again.status, 304);
  const script = await fetch(`${url}/dashboard/assets/index-1.js`);
  assert.match(script.headers.get('cache-control') ?? '', /immutable/);
  assert.match(script.headers.get('content-type') ?? '', /^text\/javascript/);
  const head = await fetch(`${url}/dashboard/assets/index-1.js`, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '10');
  assert.equal(await head.text(), '');
});
