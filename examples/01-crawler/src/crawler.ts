/**
 * Maps a web site: fetches a page, follows its links breadth-first within the site, and returns what it found. It is
 * an ordinary async function; that it survives crashes is the engine's work, not its own.
 */
import { EffectError, log, progress, sleep } from '@mvm-ci/sdk';
import { readPage } from './html.ts';

/** What to crawl, and how gently. */
export interface CrawlInput {
  /** Where to begin; http or https. The site is its origin. */
  readonly url: string;
  /** @default 50 */
  readonly maxPages?: number;
  /** Pause after each request, in ms. @default 100 */
  readonly pauseMs?: number;
  /** Requests at once. @default 4 */
  readonly concurrency?: number;
  /** How many links away from the start. @default 10 */
  readonly depth?: number;
}

/** One page of the site. */
export interface CrawledPage {
  readonly url: string;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** '' when the page is no HTML or has none. */
  readonly title: string;
  /** Different pages of this site that it links to. */
  readonly links: number;
  /** Links away from the start. */
  readonly depth: number;
  /** Where a redirect led. */
  readonly redirectedTo?: string;
  /** Why there was no answer: an error code, such as `DEADLINE_EXCEEDED`. */
  readonly error?: string;
}

/** The site map. */
export interface SiteMap {
  readonly start: string;
  /** In the order of their URLs, so that the map does not depend on which answer came first. */
  readonly pages: readonly CrawledPage[];
  /** How many pages had which status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Pages of this site that were seen in links and not visited: beyond `maxPages` or `depth`. */
  readonly notVisited: number;
}

interface Visit {
  readonly page: CrawledPage;
  /** Normalised, each once, in the order in which they stand in the page. */
  readonly found: readonly string[];
}

/** The workflow. */
export const crawler = async (input: CrawlInput): Promise<SiteMap> => {
  const { maxPages = 50, pauseMs = 100, concurrency = 4, depth: depthMax = 10 } = input;
  const start = normal(input.url);
  const seen = new Set([start]);
  const pages: CrawledPage[] = [];
  let level = [start];
  for (let depth = 0; level.length > 0 && depth <= depthMax && pages.length < maxPages; depth += 1) {
    const wanted = level.slice(0, maxPages - pages.length);
    const visits = await mapLimited(wanted, concurrency, async (url) => {
      const visit = await visitPage(url, start, depth);
      pages.push(visit.page);
      progress((100 * pages.length) / Math.min(maxPages, seen.size), `${pages.length} of ${seen.size} pages`);
      await sleep(pauseMs);
      return visit;
    });
    // Next level in the order of this one, whatever the order of the answers was.
    level = visits.flatMap(({ found }) => found).filter((url) => !seen.has(url) && seen.add(url));
  }
  log.info(`${start}: ${pages.length} pages`);
  return siteMap(start, pages, seen.size - pages.length);
};

const siteMap = (start: string, pages: readonly CrawledPage[], notVisited: number): SiteMap => {
  const sorted = pages.toSorted((a, b) => (a.url < b.url ? -1 : 1));
  const statuses: Record<string, number> = {};
  for (const { status } of sorted) statuses[status] = (statuses[status] ?? 0) + 1;
  return { start, pages: sorted, statuses, notVisited };
};

const visitPage = async (url: string, start: string, depth: number): Promise<Visit> => {
  try {
    const response = await fetch(url, { headers: { accept: 'text/html' } });
    return await readVisit(response, { url, start, depth });
  } catch (error) {
    // An answer that doesn't come is a fact about the site, not the end of the crawl.
    if (!(error instanceof EffectError)) throw error;
    log.warn(`${url}: ${error.code} ${error.message}`);
    return { page: { url, status: 0, title: '', links: 0, depth, error: error.code }, found: [] };
  }
};

const readVisit = async (
  response: Response,
  { url, start, depth }: { readonly url: string; readonly start: string; readonly depth: number },
): Promise<Visit> => {
  const { status } = response;
  const at = response.redirected ? normal(response.url) : url;
  const redirect = at === url ? {} : { redirectedTo: at };
  const isHtml = response.ok && /\b(html|xhtml)\b/.test(response.headers.get('content-type') ?? '');
  // Off the site by a redirect: its links are no longer ours.
  if (!isHtml || !isInside(at, start))
    return { page: { url, status, title: '', links: 0, depth, ...redirect }, found: [] };
  const { title, hrefs } = readPage(await response.text());
  const found = linksOf(hrefs, at, start);
  return { page: { url, status, title, links: found.length, depth, ...redirect }, found };
};

const linksOf = (hrefs: readonly string[], page: string, start: string): readonly string[] => {
  const base = new URL(page);
  const { origin } = new URL(start);
  const urls = [...new Set(hrefs)].map((href) => URL.parse(href, base)).filter((url) => url?.origin === origin);
  return [...new Set(urls.map((url) => (url ? withoutFragment(url) : '')))];
};

/** A fragment names a place in a page, not a page. */
const withoutFragment = (url: URL): string => {
  url.hash = '';
  return url.href;
};

const normal = (url: string): string => withoutFragment(new URL(url));

const isInside = (url: string, start: string): boolean => new URL(url).origin === new URL(start).origin;

/** Maps in order, at most `limit` at a time. */
const mapLimited = async <T, R>(items: readonly T[], limit: number, run: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item !== undefined) results[index] = await run(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results;
};
