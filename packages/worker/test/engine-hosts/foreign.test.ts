import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { MemoryJournal, systemClock } from '@mvm-ci/engine';
import { encodeModule, mvmError, type ClaimedJob, type JournalEntry, type ModuleKind } from '@mvm-ci/protocol';
import { ForeignHost, identifyEngineServer, missingGuarantees } from '../../src/engine-hosts/foreign.ts';
import { systemHttp } from '../../src/engine-hosts/foreign/system-http.ts';
import type { HostPorts, HostRunEnd } from '../../src/engine-host.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { FlawlessServer } from '../fixtures/flawless-server.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';

const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 13, 10, 45, 45);
const moduleFile = (kind: ModuleKind): Uint8Array =>
  encodeModule({ kind, runtime: '', workflows: ['main'], code: wasm, sourceMap: new Uint8Array() });
const job: ClaimedJob = {
  job: 'j1',
  epoch: 1,
  attempt: 1,
  module: 'm1',
  workflow: 'main',
  input: '{"n":1}',
  journalEntries: 0,
};

describe('ForeignHost', () => {
  let server: FlawlessServer;
  let logger: KeptLogger;
  let journal: MemoryJournal;
  let host: ForeignHost;
  let kind: ModuleKind;
  let mayStart: HostPorts['mayStartEffect'];

  beforeEach(async () => {
    server = await FlawlessServer.open();
    logger = new KeptLogger();
    journal = new MemoryJournal();
    kind = 'core';
    mayStart = () => true;
    host = openHost();
  });

  afterEach(async () => {
    await host.stop();
    await server[Symbol.asyncDispose]();
  });

  const openHost = (token?: string): ForeignHost =>
    new ForeignHost({
      url: server.url,
      token,
      version: '1.0.0-beta.3',
      logger,
      modules: async () => moduleFile(kind),
      http: systemHttp,
      clock: systemClock,
      random: fixedRandom,
    });
  const run = (claimed = job, to = host, from = journal): ReturnType<ForeignHost['run']> =>
    to.run(claimed, {
      openJournal: async () => ({
        count: from.entries.length,
        entries: [...from.entries],
        parts: [],
        inbox: [],
        sink: from.hold(),
      }),
      mayStartEffect: (signal) => mayStart(signal),
      inbox: () => Promise.resolve([]),
      leaseLeftMs: () => 1_000,
    });
  const kinds = (): string => journal.entries.map((entry) => entry.kind).join(' ');
  const warnings = (): string => logger.lines.flatMap(({ level, text }) => (level === 'warn' ? [text] : [])).join('\n');
  const failure = (end: HostRunEnd): string | undefined =>
    end.type === 'finished' && end.outcome.type === 'failed' ? end.outcome.error.code : undefined;

  it('says at its start which guarantees are missing', () => {
    for (const text of missingGuarantees) assert.ok(warnings().includes(text));
  });

  it('deploys the module, starts the workflow, and completes the job with its response', async () => {
    const { ended } = run();
    const call = await server.call(0);
    assert.deepEqual(call.body, { module: 'example', version: '0.0.1', workflow: 'main', input: '{"n":1}' });
    call.respond('{"sum":3}');
    assert.deepEqual(await ended, { type: 'finished', outcome: { type: 'completed', result: '{"sum":3}' } });
    assert.deepEqual(server.deployed, [{ type: 'application/wasm', name: 'module.wasm', bytes: wasm }]);
    assert.equal(kinds(), 'started intents intents answered completed');
    assert.match(warnings(), /job j1: the job runs at .* neither resumed nor cancelled there/);
  });

  it('has the start durable before it sends it', async () => {
    const { ended } = run();
    const call = await server.call(0);
    assert.equal(kinds(), 'started intents intents');
    call.respond(null);
    await ended;
  });

  const responses: readonly (readonly [string | null, string])[] = [
    [null, 'null'],
    ['"text"', '"text"'],
    ['not JSON', '"not JSON"'],
  ];
  for (const [response, result] of responses)
    it(`takes the response ${JSON.stringify(response)} for the result ${result}`, async () => {
      const { ended } = run();
      (await server.call(0)).respond(response);
      assert.deepEqual(await ended, { type: 'finished', outcome: { type: 'completed', result } });
    });

  it('deploys a module once for all its jobs', async () => {
    const ends = ['j1', 'j2'].map((name) => run({ ...job, job: name }, host, new MemoryJournal()).ended);
    for (const index of [0, 1]) (await server.call(index)).respond(null);
    await Promise.all(ends);
    assert.equal(server.deployed.length, 1);
  });

  it('fails the job with what the server says, and deploys again before the next one', async () => {
    const { ended } = run();
    (await server.call(0)).answer(400, '{"error":"module example not found"}');
    const end = await ended;
    assert.equal(failure(end), 'WORKFLOW_FAILED');
    assert.match(JSON.stringify(end), /module example not found.*"retryable":true/);
    journal = new MemoryJournal();
    const next = run({ ...job, attempt: 2 });
    (await server.call(1)).respond(null);
    await next.ended;
    assert.equal(server.deployed.length, 2);
  });

  it('refuses a script bundle, which such a server cannot run', async () => {
    kind = 'javascript';
    await assert.rejects(run().ended, {
      code: 'MODULE_INVALID',
      message: /takes WebAssembly modules only.*"javascript"/,
    });
    assert.equal(server.deployed.length, 0);
    assert.equal(kinds(), '');
  });

  it('fails the job when the server refuses the module', async () => {
    server.deployRefusal = 'unknown import';
    await assert.rejects(run().ended, { code: 'MODULE_INVALID', message: /refused the module: unknown import/ });
  });

  it('fails the job as an unknown outcome when the answer to the start is lost', async () => {
    const { ended } = run();
    (await server.call(0)).break();
    const end = await ended;
    assert.equal(failure(end), 'OUTCOME_UNKNOWN');
    assert.match(JSON.stringify(end), /"retryable":false/);
    assert.equal(server.starts, 1);
    assert.equal(kinds(), 'started intents intents failed');
  });

  it('fails the job as an unknown outcome when something else answers', async () => {
    const { ended } = run();
    (await server.call(0)).answer(502, '<html>Bad Gateway</html>');
    assert.equal(failure(await ended), 'OUTCOME_UNKNOWN');
  });

  it('never starts a job again that a lost worker had started', async () => {
    const first = run();
    await server.call(0);
    first.drop();
    assert.deepEqual(await first.ended, { type: 'dropped' });
    assert.match(warnings(), /job j1: it is let go of here, and its workflow goes on/);
    await using other = openHost();
    assert.equal(failure(await run({ ...job, epoch: 2 }, other).ended), 'OUTCOME_UNKNOWN');
    assert.equal(server.starts, 1);
  });

  it('does not go on with a job that another kind of engine began', async () => {
    const started: JournalEntry = {
      kind: 'started',
      at: 1,
      job: 'j1',
      attempt: 1,
      module: 'm1',
      runtime: '',
      workflow: 'main',
      input: '',
      seed: new Uint8Array(32),
    };
    journal = new MemoryJournal([started]);
    await assert.rejects(run().ended, { code: 'JOURNAL_CORRUPT', message: /another kind of engine/ });
  });

  it('waits for a server that is not there, and starts the job when it is', async () => {
    const warm = run({ ...job, job: 'warm' });
    (await server.call(0)).respond(null);
    await warm.ended;
    journal = new MemoryJournal();
    const { port } = server;
    await server[Symbol.asyncDispose]();
    const seen = Promise.withResolvers<void>();
    logger.onLine = (text) => {
      if (text.includes('no job is claimed')) seen.resolve();
    };
    const { ended } = run();
    await seen.promise;
    assert.equal(host.obstacle?.code, 'CONNECTION_LOST');
    server = await FlawlessServer.open(port);
    (await server.call(0)).respond('1');
    assert.deepEqual(await ended, { type: 'finished', outcome: { type: 'completed', result: '1' } });
    assert.equal(host.obstacle, undefined);
    assert.match(kinds(), /^started intents intents answered (intents answered )+completed$/);
  });

  it('interrupts a run whose module could not be deployed because the server is away', async () => {
    await server[Symbol.asyncDispose]();
    const end = await run().ended;
    assert.equal(end.type === 'interrupted' && end.error.code, 'CONNECTION_LOST');
    assert.equal(kinds(), '');
    assert.equal(host.obstacle?.code, 'CONNECTION_LOST');
  });

  it('sends its token, and has an obstacle when the server wants another', async () => {
    server.token = 'secret';
    await using allowed = openHost('secret');
    const { ended } = run(job, allowed);
    (await server.call(0)).respond(null);
    await ended;
    journal = new MemoryJournal();
    const end = await run().ended;
    assert.equal(end.type === 'interrupted' && end.error.code, 'UNAUTHENTICATED');
    assert.match(host.obstacle?.message ?? '', /refuses the token \(FLAWLESS_TOKEN\)/);
  });

  it('keeps its token out of the journal', async () => {
    server.token = 'secret-token';
    await using allowed = openHost('secret-token');
    const { ended } = run(job, allowed);
    (await server.call(0)).respond(null);
    await ended;
    assert.ok(!JSON.stringify(journal.entries).includes('secret-token'));
  });

  it('says that a started job cannot be cancelled, and ends it as its workflow ends', async () => {
    const cancelled = run();
    const call = await server.call(0);
    cancelled.cancel('enough');
    assert.match(warnings(), /job j1: it can't be cancelled \(enough\)/);
    call.respond('"done"');
    assert.deepEqual(await cancelled.ended, { type: 'finished', outcome: { type: 'completed', result: '"done"' } });
    assert.match(JSON.stringify(journal.entries), /it can't be cancelled/);
  });

  it('says that a started job cannot be given back, and waits for it', async () => {
    const released = run();
    const call = await server.call(0);
    released.release();
    assert.match(warnings(), /job j1: it can't be given back/);
    call.respond(null);
    assert.equal((await released.ended).type, 'finished');
  });

  it('cancels and gives back what has not been started', async () => {
    const asked = Promise.withResolvers<boolean>();
    mayStart = () => asked.promise;
    const cancelled = run();
    cancelled.cancel('enough');
    asked.resolve(true);
    assert.deepEqual(await cancelled.ended, { type: 'finished', outcome: { type: 'cancelled' } });
    journal = new MemoryJournal();
    const released = run();
    released.release();
    assert.deepEqual(await released.ended, { type: 'finished', outcome: { type: 'released' } });
    assert.equal(server.starts, 0);
  });

  it('starts nothing when the lease is lost', async () => {
    mayStart = () => false;
    assert.deepEqual(await run().ended, { type: 'dropped' });
    assert.equal(server.starts, 0);
    assert.equal(kinds(), '');
  });

  it('ends as dropped when the journal has another holder', async () => {
    const { ended } = run();
    const call = await server.call(0);
    journal.hold();
    call.respond(null);
    assert.deepEqual(await ended, { type: 'dropped' });
  });

  it('drops its runs when it is stopped', async () => {
    const { ended } = run();
    await server.call(0);
    await host.stop();
    assert.deepEqual(await ended, { type: 'dropped' });
  });
});

describe('identifyEngineServer', () => {
  let server: FlawlessServer;

  beforeEach(async () => {
    server = await FlawlessServer.open();
  });

  afterEach(() => server[Symbol.asyncDispose]());

  const identify = (token?: string): ReturnType<typeof identifyEngineServer> =>
    identifyEngineServer({
      url: server.url,
      token,
      http: systemHttp,
      clock: systemClock,
      signal: new AbortController().signal,
    });

  it('knows a server with the link from one without', async () => {
    assert.deepEqual(await identify(), { type: 'foreign', version: '1.0.0-beta.3' });
    server.versionHeaders = { 'mvm-ci-link': '1' };
    assert.deepEqual(await identify(), { type: 'link', version: '1.0.0-beta.3' });
  });

  it('says that the token is wrong', async () => {
    server.token = 'secret';
    await assert.rejects(identify('other'), { code: 'UNAUTHENTICATED', message: /FLAWLESS_TOKEN/ });
  });

  const strangers: readonly (readonly [string, number, string])[] = [
    ['a web page', 200, '<!doctype html>'],
    ['a JSON API', 200, '{"version":1}'],
    ['nothing there', 404, 'Not Found'],
    ['an empty answer', 200, ''],
  ];
  for (const [what, status, body] of strangers)
    it(`is no engine server: ${what}`, async () => {
      Object.assign(server, { versionStatus: status, versionBody: body });
      await assert.rejects(identify(), { code: 'CONFIG_INVALID', message: /is no engine server: GET \/version/ });
    });

  it('says that nothing listens there', async () => {
    await server[Symbol.asyncDispose]();
    await assert.rejects(identify(), { code: 'CONNECTION_LOST', details: { isSent: false } });
  });

  it('gives up when it is told to', async () => {
    const abort = new AbortController();
    abort.abort();
    const options = { url: server.url, token: undefined, http: systemHttp, clock: systemClock };
    await assert.rejects(
      identifyEngineServer({ ...options, signal: abort.signal }),
      mvmError('CANCELLED', 'x').constructor,
    );
  });
});
