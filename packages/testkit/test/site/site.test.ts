import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, it } from 'node:test';
import { startSite } from '../../src/site/site.ts';

const keyed = (key: string): RequestInit => ({ headers: { 'idempotency-key': key } });

describe('the counting site', () => {
  it('serves the documentation of a real package, whose pages link to each other', async () => {
    await using site = await startSite();
    const home = await (await fetch(site.url)).text();
    assert.match(home, /<a href="index.html">/);
    const index = await (await fetch(`${site.url}index.html`)).text();
    const [, link = ''] = /href="([^"]*classes\/[^"]*)"/.exec(index) ?? [];
    const page = await fetch(new URL(link, `${site.url}index.html`));
    assert.equal(page.status, 200);
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  });

  it('has redirects, also two in a row, a missing page and a slow one', async () => {
    await using site = await startSite({ slowMs: 40 });
    const latest = await fetch(`${site.url}latest`);
    assert.deepEqual([latest.status, latest.url], [200, `${site.url}classes/Body.html`]);
    assert.equal((await fetch(`${site.url}missing.html`)).status, 404);
    assert.equal((await fetch(`${site.url}slow.html`)).status, 200);
    const [slow] = site.requests.filter(({ path }) => path === '/slow.html');
    assert.ok((slow?.answeredAtMs ?? 0) - (slow?.atMs ?? 0) >= 30);
  });

  it('shows no file outside its folder', async () => {
    await using site = await startSite();
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const { hostname, port } = new URL(site.url);
    request({ hostname, port, path: '/..%2f..%2fpackage.json' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
    assert.equal(await promise, 404);
  });

  it('tells effects from those that were sent again, and a redirect is neither', async () => {
    await using site = await startSite();
    await fetch(`${site.url}latest`, keyed('j:1:1'));
    await fetch(`${site.url}missing.html`, keyed('j:1:2'));
    await fetch(`${site.url}latest`, keyed('j:1:1'));
    await fetch(site.url);
    assert.deepEqual(site.count(), { effects: 2, resent: 1, unkeyed: 1 });
    assert.deepEqual(
      site.requests.filter(({ isHop }) => isHop).map(({ path }) => path),
      ['/old/Body.html', '/classes/Body.html', '/old/Body.html', '/classes/Body.html'],
    );
    assert.equal(site.hits().get('j:1:1')?.length, 2);
  });

  it('names what arrives after its answer was acknowledged', async () => {
    await using site = await startSite();
    await fetch(site.url, keyed('a'));
    await fetch(site.url, keyed('b'));
    const [first] = site.requests;
    const acknowledged = new Map([
      ['a', (first?.atMs ?? 0) + 1_000],
      ['b', 0],
    ]);
    assert.deepEqual(
      site.arrivedAfter(acknowledged).map(({ key }) => key),
      ['b'],
    );
  });

  it('ends open requests when it is stopped, and may be stopped twice', async () => {
    const site = await startSite({ slowMs: 60_000 });
    const hanging = fetch(`${site.url}slow.html`);
    const failed = assert.rejects(hanging);
    while (site.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await site.stop();
    await site.stop();
    await failed;
    assert.equal(site.requests[0]?.answeredAtMs, undefined);
  });
});
