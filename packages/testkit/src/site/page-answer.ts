/** What the site says to a path: a file of the documentation, or one of the traps that a real site has. */
import { readFile, stat } from 'node:fs/promises';
import { extname, join, normalize, sep } from 'node:path';

/** An answer, whole. */
export interface PageAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly isSlow: boolean;
}

/** Pages that have moved: path → status and new place. */
const redirects = new Map<string, readonly [status: number, location: string]>([
  ['/old/Body.html', [301, '/classes/Body.html']],
  ['/old/World.html', [308, '../classes/World.html']],
  ['/latest', [302, '/old/Body.html']],
  ['/elsewhere', [302, 'http://localhost.invalid/']],
]);

/** Slow pages: path → the page that is shown after the wait. */
const slow = new Map([['/slow.html', 'classes/Vec3.html']]);

const home = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Home &amp; start</title></head><body>
<!-- <a href="/commented-out.html">not a link</a> -->
<h1>Documentation</h1>
<p><a href="index.html">API documentation</a>, <a href='/latest'>latest</a>, <a href=/old/World.html>an old address</a></p>
<p><a href="/slow.html?why=large&amp;how=slowly#end">a slow page</a>, <a href="/missing.html">a page that is gone</a></p>
<p><a href="assets/favicon.ico">a picture</a>, <a href="mailto:someone@example.org">a person</a>,
<a href="https://example.org/">another site</a></p>
</body></html>
`;

const types = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css'],
  ['.js', 'text/javascript'],
  ['.png', 'image/png'],
  ['.ico', 'image/x-icon'],
]);

const utf8 = new TextEncoder();

/** The answer to a request's target, read from `root`. */
export const readPath = (root: string, target: string): Promise<PageAnswer> => {
  const { pathname } = new URL(target, 'http://site.invalid');
  const moved = redirects.get(pathname);
  if (moved) return Promise.resolve(redirect(...moved));
  if (pathname === '/') return Promise.resolve(page(200, '.html', utf8.encode(home)));
  const shown = slow.get(pathname);
  return shown === undefined ? readUnder(root, pathname) : readSlow(root, shown);
};

const readSlow = async (root: string, shown: string): Promise<PageAnswer> => ({
  ...(await readUnder(root, shown)),
  isSlow: true,
});

const readUnder = async (root: string, pathname: string): Promise<PageAnswer> => {
  const path = normalize(join(root, decodeURIComponent(pathname)));
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return notFound();
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isDirectory()) return redirect(301, pathname.endsWith('/') ? `${pathname}index.html` : `${pathname}/`);
  return facts?.isFile() ? page(200, extname(path), await readFile(path)) : notFound();
};

const page = (status: number, extension: string, body: Uint8Array): PageAnswer => ({
  status,
  headers: { 'content-type': types.get(extension) ?? 'application/octet-stream' },
  body,
  isSlow: false,
});

const redirect = (status: number, location: string): PageAnswer => {
  const text = `<!doctype html><title>Moved</title><a href="${location}">here</a>`;
  const { headers, ...rest } = page(status, '.html', utf8.encode(text));
  return { ...rest, headers: { ...headers, location } };
};

const notFound = (): PageAnswer => page(404, '.html', utf8.encode('<!doctype html><title>Not found</title>'));
