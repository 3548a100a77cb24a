import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { openFrameChannel, openHttpDuplex, requestHttp, systemClock, type FrameChannel } from '@mvm-ci/net';
import {
  engineStatusSchema,
  linkFeaturesHeader,
  linkHeader,
  linkVersion,
  type EngineStatus,
  type Logger,
  type MvmError,
} from '@mvm-ci/protocol';
import { startEngineServer, type EngineServer, type EngineServerOptions } from '../src/index.ts';
import { EchoLinks } from './fixtures/echo-links.ts';

const clock = systemClock;
const quiet = (): void => undefined;
const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };

suite('an engine server', { timeout: 60_000 }, () => {
  let links: EchoLinks;
  let server: EngineServer;

  const start = (options: Partial<EngineServerOptions> = {}): Promise<EngineServer> =>
    startEngineServer({
      http: { host: '127.0.0.1', port: 0 },
      links,
      version: '1.2.3',
      logger,
      clock,
      ...options,
    });

  beforeEach(async () => {
    links = new EchoLinks();
    server = await start();
  });

  afterEach(async () => {
    links.drained.resolve();
    await server.stop();
  });

  const get = async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
    fetch(`${server.url}${path}`, { headers });

  const ready = async (): Promise<EngineStatus> => engineStatusSchema.parse(await (await get('/readyz')).json());

  const openLink = async (): Promise<FrameChannel> =>
    openFrameChannel({ duplex: await openHttpDuplex({ url: server.url, clock }), side: 'client', clock });

  /** Sends `text` in a conversation of its own. @returns what comes back, and why the conversation ended */
  const say = async (channel: FrameChannel, text: string): Promise<readonly [string, MvmError | undefined]> => {
    const closed = Promise.withResolvers<MvmError | undefined>();
    const heard: string[] = [];
    const conversation = channel.open({
      onMessage: (message) => void heard.push(new TextDecoder().decode(message)),
      onEnd: quiet,
      onClosed: closed.resolve,
    });
    await conversation.send(new TextEncoder().encode(text));
    conversation.end();
    return [heard.join('') || (await closed.promise, heard.join('')), await closed.promise];
  };

  test('tells its version as text, or as JSON to those who ask, and that it speaks the link', async () => {
    const text = await get('/version');
    assert.deepEqual(
      [text.status, await text.text(), text.headers.get(linkHeader)],
      [200, '1.2.3', String(linkVersion)],
    );
    assert.equal(text.headers.get(linkFeaturesHeader), 'hand-over, replays');
    const duplex = await openHttpDuplex({ url: server.url, clock });
    assert.deepEqual(duplex.features, ['hand-over', 'replays']);
    duplex.close();
    const json = await get('/version', { accept: 'application/json' });
    assert.deepEqual(await json.json(), { name: 'mvm-ci', version: '1.2.3', link: linkVersion });
    assert.deepEqual(await (await get('/healthz')).json(), { status: 'ok' });
  });

  test('says that it is ready, and how many runs it has', async () => {
    links.runs = 3;
    assert.deepEqual(await ready(), {
      ready: true,
      reasons: [],
      runs: 3,
      runsMax: 7,
      version: '1.2.3',
      link: linkVersion,
    });
    links.runs = 0;
  });

  test('carries the conversations of many links at the same time', async () => {
    const channels = await Promise.all(Array.from({ length: 5 }, openLink));
    const texts = ['one', 'x'.repeat(300_000), 'three'];
    const said = channels.flatMap((channel) => texts.map((text) => say(channel, text)));
    assert.deepEqual(
      await Promise.all(said),
      channels.flatMap(() => texts.map((text) => [text, undefined])),
    );
    for (const channel of channels) channel.end();
    await Promise.all(channels.map(({ closed }) => closed));
  });

  test('ends the conversations of a client that is gone', async () => {
    const duplex = await openHttpDuplex({ url: server.url, clock });
    const channel = openFrameChannel({ duplex, side: 'client', clock });
    const heard = Promise.withResolvers<void>();
    const conversation = channel.open({ onMessage: () => heard.resolve(), onEnd: quiet, onClosed: quiet });
    void conversation.send(new Uint8Array(3));
    await heard.promise;
    assert.equal((await ready()).runs, 1);
    channel.close();
    while ((await ready()).runs > 0) await clock.nextTurn();
  });

  test('is not ready from the first moment of a stop, takes no links, and ends those that it has after the runs', async () => {
    const channel = await openLink();
    await say(channel, 'hello');
    const stopping = server.stop({ graceMs: 1_234 });
    const answer = await get('/readyz');
    const status = engineStatusSchema.parse(await answer.json());
    assert.deepEqual([answer.status, status.ready, answer.headers.get('retry-after')], [503, false, '1']);
    assert.match(status.reasons.join(), /it is going away/);
    await assert.rejects(openHttpDuplex({ url: server.url, clock }), {
      code: 'UNAVAILABLE',
      message: /this engine server is going away/,
    });
    assert.deepEqual(await say(channel, 'still here'), ['still here', undefined]);
    links.drained.resolve();
    await stopping;
    assert.deepEqual(links.graces, [1_234]);
    assert.equal(await channel.closed, undefined);
    await assert.rejects(requestHttp({ url: server.url, path: '/readyz', clock }), { code: 'CONNECTION_LOST' });
  });

  test('answers all else with an error that names it', async () => {
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['POST', '/version'],
      ['GET', '/engine/link'],
      ['DELETE', '/readyz'],
    ] as const) {
      const answer = await fetch(`${server.url}${path}`, { method });
      const { error } = (await answer.json()) as { error: { code: string; message: string; details: unknown } };
      assert.deepEqual([answer.status, error.code], [404, 'ROUTE_NOT_FOUND'], `${method} ${path}`);
      assert.equal(error.message, `there is no ${method} ${path} here`);
      assert.equal(answer.headers.get(linkHeader), String(linkVersion));
    }
  });

  test('refuses pages of other sites on loopback', async () => {
    const { port } = new URL(server.url);
    const answer = await requestHttp({
      url: server.url,
      path: '/version',
      headers: { host: `evil.test:${port}` },
      clock,
    });
    assert.equal(answer.status, 403);
  });

  test('demands the token where it has one, on every route but the two for health', async () => {
    await using guarded = await start({ token: 'secret' });
    const { url } = guarded;
    for (const path of ['/healthz', '/readyz']) assert.equal((await requestHttp({ url, path, clock })).status, 200);
    for (const path of ['/version', '/nothing']) {
      const answer = await requestHttp({ url, path, clock });
      assert.equal(answer.status, 401);
      assert.match(new TextDecoder().decode(answer.body), /"UNAUTHENTICATED".*the engine server’s token is demanded/);
    }
    assert.equal((await requestHttp({ url, path: '/version', token: 'secret', clock })).status, 200);
    for (const token of [undefined, 'another'])
      await assert.rejects(openHttpDuplex({ url, token, clock }), {
        code: 'UNAUTHENTICATED',
        message: /engine server’s token/,
      });
    const channel = openFrameChannel({
      duplex: await openHttpDuplex({ url, token: 'secret', clock }),
      side: 'client',
      clock,
    });
    assert.deepEqual(await say(channel, 'hello'), ['hello', undefined]);
    channel.close();
    links.drained.resolve();
  });

  test('starts on no other address than loopback without a token', async () => {
    await assert.rejects(start({ http: { host: '0.0.0.0', port: 0 } }), {
      code: 'CONFIG_INVALID',
      message: /needs a token$/,
    });
    await assert.rejects(start({ token: '' }), { code: 'CONFIG_INVALID' });
    const port = Number(new URL(server.url).port);
    await assert.rejects(start({ http: { host: '127.0.0.1', port } }), {
      code: 'CONFIG_INVALID',
      message: /EADDRINUSE/,
    });
  });
});
