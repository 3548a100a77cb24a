import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { listenHttp, openHttpAgents } from '@mvm-ci/net';
import { webhookPost } from '../../src/adapters/webhook-post.ts';
import { controlLimits } from '../../src/limits.ts';

const { signal } = new AbortController();

/** Posts to a receiver that answers as it is told, and gives what it was sent. */
const posted = async (
  to: (url: string) => string,
  answer: () => Response,
): Promise<{ readonly status: number; readonly url: string; readonly authorization: string | null }> => {
  const seen: { readonly url: string; readonly authorization: string | null }[] = [];
  const agents = openHttpAgents();
  const server = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    fetch: async ({ url, headers }) => {
      const { pathname, search } = new URL(url);
      seen.push({ url: `${pathname}${search}`, authorization: headers.get('authorization') });
      return answer();
    },
  });
  try {
    const status = await webhookPost(agents)({ url: to(server.url), headers: {}, body: '{}', signal });
    return { status, url: '', authorization: null, ...seen[0] };
  } finally {
    agents.close();
    await server.stop(0);
  }
};

suite('the request of a webhook', { timeout: 60_000 }, () => {
  test('is taken when the answer says so, however much it says', async () => {
    const long = 'x'.repeat(controlLimits.webhookAnswerBytesMax * 4);
    assert.equal(
      (
        await posted(
          (url) => url,
          () => new Response(long),
        )
      ).status,
      200,
    );
  });

  test('goes where its URL says, with the name and the password in it', async () => {
    const { url, authorization } = await posted(
      (base) => `${base.replace('//', '//ann:p%40ss@')}/in?to=http://a.test/?b=1`,
      () => new Response(null, { status: 204 }),
    );
    assert.equal(url, '/in?to=http://a.test/?b=1');
    assert.equal(authorization, `Basic ${Buffer.from('ann:p@ss').toString('base64')}`);
  });

  test('goes over the connection of the one before', async () => {
    const server = await listenHttp({ host: '127.0.0.1', port: 0, fetch: async () => new Response('ok') });
    const agents = openHttpAgents();
    const sockets = new Set<unknown>();
    agents.http.on('free', (socket) => sockets.add(socket));
    const post = webhookPost(agents);
    for (let told = 0; told < 5; told += 1) await post({ url: server.url, headers: {}, body: '{}', signal });
    assert.equal(sockets.size, 1);
    agents.close();
    await server.stop(0);
  });

  test('follows no redirect', async () => {
    const moved = (): Response => new Response(null, { status: 307, headers: { location: '/elsewhere' } });
    assert.equal((await posted((url) => `${url}/in`, moved)).status, 307);
  });
});
