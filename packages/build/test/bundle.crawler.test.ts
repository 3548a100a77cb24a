import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startSite, type Site } from '@mvm-ci/testkit';
import { buildWorkflow } from '../src/index.ts';
import { QuickJsGuest, type LooseEvent, type LooseIntent } from './quickjs-guest.ts';

/** Chooses which of `count` open calls is answered next. */
type Choose = (count: number) => number;

interface SiteMap {
  readonly start: string;
  readonly pages: readonly { readonly url: string }[];
  readonly notVisited: number;
}

interface Run {
  readonly activations: readonly (readonly LooseEvent[])[];
  readonly intents: readonly (readonly LooseIntent[])[];
  readonly result: SiteMap;
}

const answerTo = async (intent: LooseIntent): Promise<LooseEvent> => {
  const { type, call } = intent;
  if (type === 'sleep') return { type: 'answer', call, slept: true };
  const headers = { 'idempotency-key': `j1:1:${call}` };
  try {
    const response = await fetch(String(intent['url']), { headers });
    const { status, statusText, url, redirected } = response;
    const fetched = {
      status,
      statusText,
      url,
      redirected,
      headers: [...response.headers],
      body: { utf8: await response.text() },
    };
    return { type: 'answer', call, fetched };
  } catch (error) {
    return { type: 'answer', call, error: { code: 'CONNECTION_LOST', message: String(error) } };
  }
};

/** Runs a crawl to its end, one answer at a time, in the order that `choose` makes. */
const crawl = async (code: string, input: object, choose: Choose): Promise<Run> => {
  using guest = await QuickJsGuest.load(code);
  const activations: LooseEvent[][] = [];
  const intents: LooseIntent[][] = [guest.start('crawler', input)];
  const open: LooseIntent[] = [];
  for (;;) {
    const last = intents.at(-1) ?? [];
    open.push(...last.filter(({ type }) => type === 'fetch' || type === 'sleep'));
    const end = last.find(({ type }) => type === 'complete' || type === 'fail');
    if (end?.type === 'complete') return { activations, intents, result: end['result'] as SiteMap };
    const [next] = open.splice(choose(open.length), 1);
    if (end || !next) throw new Error(`the crawl ended in ${JSON.stringify(last)}`);
    const events = [await answerTo(next)];
    activations.push(events);
    intents.push(guest.step(events));
  }
};

/** A shuffle that a number decides (a linear congruential generator, Numerical Recipes). */
const shuffled = (seed: number): Choose => {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
};

describe('the crawler', { timeout: 120_000 }, () => {
  let site: Site;
  let code: string;
  const input = (): object => ({ url: site.url, maxPages: 25, pauseMs: 5, concurrency: 3 });

  before(async () => {
    site = await startSite({ slowMs: 10 });
    const { file } = await buildWorkflow({
      folder: fileURLToPath(new URL('../../../examples/01-crawler', import.meta.url)),
    });
    code = new TextDecoder().decode(file.code);
  });
  after(() => site.stop());

  it('maps a site: titles, redirects, missing pages, files that are no pages', async () => {
    const { result } = await crawl(code, input(), () => 0);
    assert.equal(result.start, site.url);
    assert.equal(result.pages.length, 25);
    assert.ok(result.notVisited > 20);
    const page = (path: string): unknown => result.pages.find(({ url }) => url === `${site.url}${path}`);
    assert.deepEqual(page(''), { url: site.url, status: 200, title: 'Home & start', links: 6, depth: 0 });
    assert.partialDeepStrictEqual(page('latest'), {
      status: 200,
      title: 'Body - cannon',
      redirectedTo: `${site.url}classes/Body.html`,
    });
    assert.partialDeepStrictEqual(page('slow.html?why=large&how=slowly'), { title: 'Vec3 - cannon' });
    assert.partialDeepStrictEqual(page('missing.html'), { status: 404, title: '', links: 0 });
    assert.partialDeepStrictEqual(page('assets/favicon.ico'), { status: 200, title: '', links: 0 });
    assert.equal(page('commented-out.html'), undefined);
    assert.deepEqual(site.count().resent, 0);
  });

  it('has the same result in whatever order the answers come', async () => {
    const runs = [await crawl(code, input(), () => 0)];
    for (const seed of [1, 2, 3]) runs.push(await crawl(code, input(), shuffled(seed)));
    const [first, ...others] = runs.map(({ result }) => result);
    for (const other of others) assert.deepEqual(other, first);
    assert.notDeepEqual(runs[1]?.intents, runs[2]?.intents, 'the orders differed');
  });

  it('asks for the same again when its answers are replayed', async () => {
    const { activations, intents } = await crawl(code, input(), shuffled(7));
    using guest = await QuickJsGuest.load(code);
    assert.deepEqual(guest.start('crawler', input()), intents[0]);
    activations.forEach((events, index) => assert.deepEqual(guest.step(events), intents[index + 1]));
  });

  it('notes a page that gives no answer, and goes on', async () => {
    const closed = await startSite();
    await closed.stop();
    const { result } = await crawl(code, { url: closed.url }, () => 0);
    assert.deepEqual(result.pages, [
      { url: closed.url, status: 0, title: '', links: 0, depth: 0, error: 'CONNECTION_LOST' },
    ]);
  });
});
