/**
 * The dashboard's files, as they were built, under `/dashboard/`: they hold no data, so they need no token. What they show they
 * ask of the API, which does.
 *
 * 1. What is under `assets/` has its hash in its name, and is kept for ever; every other path is a view of the one page.
 * 2. The page's policy allows scripts, styles and requests of this server alone, none of them inside the page.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** Answers a request for the dashboard; undefined: it is for something else. */
export type DashboardPages = (request: Request) => Promise<Response | undefined>;

interface BuiltFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly contentType: string;
}

const base = '/dashboard/';
const page = 'index.html';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const guards = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

/** Serves the files in `folder`, which are read when somebody asks for the first one; without a folder it serves nothing. */
export const dashboardPages = (folder: string | undefined): DashboardPages => {
  let files: ReadonlyMap<string, BuiltFile> | undefined;
  return async (request) => {
    if (folder === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined;
    const { pathname } = new URL(request.url);
    if (pathname === '/' && wantsPage(request)) return redirect(base);
    if (pathname === '/dashboard') return redirect(base);
    if (!pathname.startsWith(base)) return undefined;
    files ??= await readBuilt(folder);
    return files === undefined ? notBuilt() : answer(request, files, pathname.slice(base.length));
  };
};

/** A browser names HTML; programs that take anything get the API's answer. */
const wantsPage = (request: Request): boolean => /\btext\/html\b/.test(request.headers.get('accept') ?? '');

const redirect = (location: string): Response =>
  new Response(null, { status: 302, headers: { location, vary: 'accept' } });

const answer = (request: Request, files: ReadonlyMap<string, BuiltFile>, path: string): Response => {
  const isAsset = path.startsWith('assets/');
  const file = files.get(isAsset ? path : page);
  if (file === undefined)
    return new Response('There is no such file.\n', { status: 404, headers: { ...guards, ...plain } });
  const headers = {
    ...guards,
    'content-type': file.contentType,
    etag: file.etag,
    'cache-control': isAsset ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
  const isKnown = request.headers.get('if-none-match')?.includes(file.etag) === true;
  if (isKnown) return new Response(null, { status: 304, headers });
  return new Response(request.method === 'HEAD' ? null : file.bytes, {
    headers: { ...headers, 'content-length': String(file.bytes.length) },
  });
};

const plain = { 'content-type': 'text/plain; charset=utf-8' };

const notBuilt = (): Response =>
  new Response('The dashboard is not built in this checkout: run "npm run build" in it, then reload this page.\n', {
    status: 503,
    headers: { ...guards, ...plain, 'cache-control': 'no-store' },
  });

/** All built files by their paths; undefined when there are none. */
const readBuilt = async (folder: string): Promise<ReadonlyMap<string, BuiltFile> | undefined> => {
  try {
    const assets = await readdir(join(folder, 'assets'));
    const paths = [page, ...assets.map((name) => `assets/${name}`)];
    return new Map(await Promise.all(paths.map(async (path) => [path, await readFileBuilt(folder, path)] as const)));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};

const readFileBuilt = async (folder: string, path: string): Promise<BuiltFile> => {
  const bytes = new Uint8Array(await readFile(join(folder, path)));
  const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
  return { bytes, etag, contentType: contentTypes[extname(path)] ?? 'application/octet-stream' };
};
