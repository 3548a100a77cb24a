import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from '@mvm-ci/client';
import { MemoryJournal, systemClock } from '@mvm-ci/engine';
import { encodeModule } from '@mvm-ci/protocol';
import { answersIn, coreModule, flawlessModule, Receiver, scriptedCore, encodeWireIntents } from '@mvm-ci/testkit';
import { ForeignHost, systemHttp } from '@mvm-ci/worker';
import { binaries, CliProcess } from './fixtures/cli-process.ts';
import { runCommand, type CommandResult } from './fixtures/fake-host.ts';
import { exchange, type RawAnswer } from './fixtures/raw-http.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

describe('an engine server used alone', { timeout: 400_000 }, () => {
  let data: string;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'mvm-ci-alone-'));
  });

  afterEach(() => rmSync(data, { recursive: true }));

  const start = (...args: readonly string[]): CliProcess =>
    new CliProcess(['up', '--http', '127.0.0.1:0', '--data', data, '--json', ...args], { binary: binaries.flawless });

  const urlOf = async (server: CliProcess): Promise<string> => String((await server.ready())['http']);

  const flawless = (url: string, ...args: readonly string[]): Promise<CommandResult> =>
    runCommand(['flawless', ...args], { env: { FLAWLESS_URL: url } });

  it('deploys, runs, and shows what ran', async () => {
    await using server = start();
    const url = await urlOf(server);
    const deployed = await flawless(url, 'deploy', fixture('greeter'));
    assert.match(deployed.stdout, /deployed +greeter@1\.0\.0\n.*greet/);
    const run = await flawless(url, 'run', 'greeter:1.0.0', 'greet', '{"name":"Ada"}', '--id', 'hello');
    assert.deepEqual([run.code, run.stdout], [0, '"Hello, Ada!"\n']);
    assert.match(run.stderr, /^workflow hello was started$/m);
    assert.match((await flawless(url, 'list')).stdout, /^hello +completed +greeter@1\.0\.0\/greet/m);
    assert.match((await flawless(url, 'logs', 'hello')).stdout, /greeting Ada/);
    assert.match((await flawless(url, 'journal', 'hello')).stdout, /started[^]*completed/);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^mvm_ci_jobs\{state="completed"\} 1$/m);
    assert.match(metrics, /^mvm_ci_engine_runs_max 256$/m);
    assert.match(metrics, /^mvm_ci_journal_bytes_total [1-9]/m);
    assert.match(metrics, /^mvm_ci_jobs_claimed_total 1$/m);
    assert.match(metrics, /^mvm_ci_effects_total\{class="idempotent",outcome="answered"\} 0$/m);
    const failed = await flawless(url, 'run', 'greeter', 'fail');
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /the workflow is failed: WORKFLOW_FAILED: Error: as it was told/);
  });

  it('cancels what runs', async () => {
    await using server = start();
    const url = await urlOf(server);
    await flawless(url, 'deploy', fixture('greeter'));
    await createClient({ url }).publish({ job_id: 'long', workflow: 'greeter/linger' });
    await server.logged('job claimed');
    assert.equal((await flawless(url, 'cancel', 'long')).code, 0);
    const job: unknown = JSON.parse((await flawless(url, 'status', 'long', '--wait', '--json')).stdout);
    assert.partialDeepStrictEqual(job, { status: 'cancelled' });
  });

  it('goes on after a kill where it was, and repeats nothing that was recorded', async () => {
    await using receiver = await Receiver.start();
    const begin = async (): Promise<void> => {
      await using server = start();
      const url = await urlOf(server);
      await flawless(url, 'deploy', fixture('stages'));
      const client = createClient({ url });
      await client.publish({ job_id: 'two', workflow: 'stages', input: { url: receiver.url } });
      const { response } = await client.waitForResponse('two');
      assert.deepEqual(response, { value: { done: 1 } });
      server.signal('SIGKILL');
      await server.end();
    };
    await begin();
    assert.equal(receiver.keys.length, 1);
    await using server = start();
    const url = await urlOf(server);
    assert.equal((await flawless(url, 'send', 'two', 'go', '"verve"')).code, 0);
    const job = await createClient({ url }).wait('two');
    assert.deepEqual([job.status, job.result], ['completed', 'went on with verve']);
    assert.equal(receiver.keys.length, 2);
    assert.equal(new Set(receiver.keys).size, 2);
  });

  it('shows a log while it is written, until the end', async () => {
    await using receiver = await Receiver.start();
    await using server = start();
    const url = await urlOf(server);
    await flawless(url, 'deploy', fixture('stages'));
    const client = createClient({ url });
    await client.publish({ job_id: 'live', workflow: 'stages', input: { url: receiver.url } });
    const lines: string[] = [];
    for await (const { text } of client.logEvents('live')) {
      if (lines.push(text) === 1) await client.send('live', { type: 'go', data: 'verve' });
    }
    assert.deepEqual(lines, ['the first is done', 'it goes on with verve']);
  });

  it('is asked to end, gives back what runs, and goes on at the next start', async () => {
    const begin = async (): Promise<void> => {
      await using server = start('--grace', '0');
      const url = await urlOf(server);
      await flawless(url, 'deploy', fixture('greeter'));
      await createClient({ url }).publish({ job_id: 'long', workflow: 'greeter/linger' });
      await server.logged('job claimed');
      server.signal('SIGTERM');
      const { code, stderr } = await server.end();
      assert.equal(code, 0, stderr);
    };
    await begin();
    await using server = start();
    const client = createClient({ url: await urlOf(server) });
    await server.logged('"job":"long"');
    const { lost_leases: lost, status } = await client.status('long');
    assert.equal(lost, 0);
    assert.notEqual(status, 'failed');
  });

  it('tells who stops waiting for a workflow how to come back to it', async () => {
    await using server = start();
    const url = await urlOf(server);
    await flawless(url, 'deploy', fixture('greeter'));
    const args = ['run', 'greeter', 'linger', '--id', 'long', '--url', url];
    await using waiting = new CliProcess(args, { binary: binaries.flawless });
    await waiting.logged('in_progress');
    waiting.signal('SIGINT');
    const { code, stderr } = await waiting.end();
    assert.equal(code, 1);
    assert.match(stderr, /it goes on; wait for it again with: npx flawless status long --wait/);
    assert.equal((await createClient({ url }).status('long')).status, 'in_progress');
  });

  it('leaves its folder to one process, and says so to the second', async () => {
    await using first = start();
    await first.ready();
    await using second = start();
    const { code, stderr } = await second.end();
    assert.equal(code, 2);
    assert.match(stderr, /"CONFIG_INVALID".*another process uses the data folder/);
  });

  it('says what to do when no server answers', async () => {
    const { code, stderr } = await flawless('http://127.0.0.1:9', 'list');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^error CONNECTION_LOST: no engine server answers at http:\/\/127\.0\.0\.1:9: .*\nStart an engine server with: npx flawless up/,
    );
  });

  it('has no jobs with --jobs off, and says so', async () => {
    await using server = start('--jobs', 'off');
    const { code, stderr } = await flawless(await urlOf(server), 'list');
    assert.equal(code, 1);
    assert.match(stderr, /ROUTE_NOT_FOUND.*--jobs off/);
  });

  describe('with the public clients of Flawless', () => {
    const head = (path: string, length: number, type: string): string =>
      [
        `POST ${path} HTTP/1.1`,
        `content-type: ${type}`,
        'accept: */*',
        'host: 127.0.0.1',
        'connection: close',
        `content-length: ${length}`,
        '\r\n',
      ].join('\r\n');

    const deploy = (url: string, wasm: Uint8Array, disposition: string): Promise<RawAnswer> => {
      const before = `--b-0-b\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: application/wasm\r\n\r\n`;
      const after = '\r\n--b-0-b--\r\n';
      const length = before.length + wasm.length + after.length;
      return exchange(
        url,
        head('/api/module/deploy', length, 'multipart/form-data; boundary=b-0-b'),
        before,
        wasm,
        after,
      );
    };

    const post = (url: string, path: string, body: string): Promise<RawAnswer> =>
      exchange(url, head(path, Buffer.byteLength(body), 'application/json'), body);

    const startBody = (input: string): string =>
      `{"module":"shop","version":"1.0.0","workflow":"main","input":${JSON.stringify(input)}}`;

    const ok = (answer: RawAnswer): string => {
      assert.equal(answer.head[0], 'HTTP/1.1 200 OK', answer.body);
      assert.ok(answer.head.includes('content-type: application/json'), answer.head.join('\n'));
      return answer.body;
    };

    it('answers each route with the bytes that they read', async () => {
      await using server = start();
      const url = await urlOf(server);
      const version = await exchange(url, 'GET /version HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n');
      assert.deepEqual([version.head[0], version.body], ['HTTP/1.1 200 OK', '0.1.0']);
      const { code } = await flawlessModule({
        commands: ['GetInput', { SendResponse: '{"echo":7}' }, { RecvMessage: [null, ['greeting_msg']] }],
      });
      // As flawless-utils sends it, without a file name; and as curl -F does, once more.
      for (const disposition of ['name="module"', 'name="module"; filename="flow.wasm"'])
        assert.equal(ok(await deploy(url, code, disposition)), '{"ok":{"name":"shop","version":"1.0.0"}}');
      const started = ok(await post(url, '/api/workflow/start', startBody('"flawless"')));
      assert.match(started, /^\{"ok":\{"id":"wkf_[0-9A-Za-z]{20}","response":"\{\\"echo\\":7\}"\}\}$/);
      const id = /wkf_\w+/.exec(started)?.[0] ?? '';
      const message = '{"type":"greeting_msg","data":"{\\"greeting\\":\\"hello\\"}"}';
      assert.equal(ok(await post(url, `/api/workflow/send-msg/${id}`, message)), '"ok"');
      assert.equal((await createClient({ url }).wait(id)).status, 'completed');
    });

    it('answers null when a workflow ends without a response, and keeps the digits of numbers', async () => {
      await using server = start();
      const url = await urlOf(server);
      const { code } = await flawlessModule({ commands: ['GetInput'] });
      await deploy(url, code, 'name="module"');
      const input = '{"big":18446744073709551615,"whole":1.0}';
      const started = ok(await post(url, '/api/workflow/start', startBody(input)));
      assert.match(started, /^\{"ok":\{"id":"wkf_[0-9A-Za-z]{20}","response":null\}\}$/);
      const [line] = await createClient({ url }).logs(/wkf_\w+/.exec(started)?.[0] ?? '');
      assert.deepEqual(answersIn([{ type: 'log', level: 'info', text: line?.text ?? '' }]), [{ String: input }]);
    });

    it('serves a worker that takes it for a server without the engine link', async () => {
      await using server = start();
      const url = await urlOf(server);
      const named = await flawlessModule({ commands: [{ SendResponse: '{"echo":7}' }] });
      const unnamed = coreModule(scriptedCore([encodeWireIntents([{ type: 'complete', result: '[8]' }])]));
      for (const [file, workflow, result] of [
        [named, 'main', '{"echo":7}'],
        [unnamed, 'whatever', '[8]'],
        [unnamed, 'main', '[8]'],
      ] as const) {
        const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
        await using host = new ForeignHost({
          url,
          token: undefined,
          version: '0.1.0',
          modules: () => Promise.resolve(encodeModule(file)),
          http: systemHttp,
          clock: systemClock,
          random: { unit: () => 0.5, bytes: (count) => new Uint8Array(count) },
          logger,
        });
        const run = host.run(
          { job: 'j', epoch: 1, attempt: 1, module: 'm', workflow, input: '1', journalEntries: 0 },
          {
            openJournal: () =>
              Promise.resolve({ count: 0, entries: [], parts: [], inbox: [], sink: new MemoryJournal().hold() }),
            mayStartEffect: () => true,
            inbox: () => Promise.resolve([]),
            leaseLeftMs: () => 1_000,
          },
        );
        assert.deepEqual(await run.ended, { type: 'finished', outcome: { type: 'completed', result } });
      }
    });

    it('tells who waits for a response that it ends, and the workflow goes on at the next start', async () => {
      const begin = async (): Promise<string> => {
        await using server = start('--grace', '0');
        const url = await urlOf(server);
        const { code } = await flawlessModule({ commands: [{ RecvMessage: [null, []] }, { SendResponse: '7' }] });
        await deploy(url, code, 'name="module"');
        const waiting = post(url, '/api/workflow/start', startBody('1'));
        await server.logged('job claimed');
        server.signal('SIGTERM');
        const { head: answered, body } = await waiting;
        assert.match(answered[0] ?? '', / 503 /);
        assert.match(
          body,
          /^\{"error":"UNAVAILABLE: this server is going away: workflow wkf_\w+ goes on when it is back"\}$/,
        );
        assert.equal((await server.end()).code, 0);
        return /wkf_\w+/.exec(body)?.[0] ?? '';
      };
      const id = await begin();
      await using server = start();
      const url = await urlOf(server);
      ok(await post(url, `/api/workflow/send-msg/${id}`, '{"type":"go","data":"null"}'));
      assert.deepEqual((await createClient({ url }).wait(id)).result, 7);
    });

    it('demands the token that it was given', async () => {
      await using server = start('--token', 'mine');
      const url = await urlOf(server);
      const refused = await post(url, '/api/workflow/start', startBody('1'));
      assert.match(refused.head[0] ?? '', / 401 /);
      assert.match(refused.body, /^\{"error":"UNAUTHENTICATED: /);
      const body = startBody('1');
      const withToken = head('/api/workflow/start', Buffer.byteLength(body), 'application/json').replace(
        'accept',
        'Authorization: Bearer mine\r\naccept',
      );
      assert.match((await exchange(url, withToken, body)).body, /^\{"error":"MODULE_NOT_FOUND: /);
    });

    it('refuses in the form that they take for an error, and loses nothing', async () => {
      await using server = start();
      const url = await urlOf(server);
      const { code } = await flawlessModule({ commands: ['GetInput'], end: 'unreachable' });
      await deploy(url, code, 'name="module"');
      const body = startBody('1');
      for (const [answer, status, error] of [
        [await deploy(url, Buffer.from('no wasm'), 'name="module"'), 422, /^MODULE_INVALID: not a valid WebAssembly/],
        [await deploy(url, code, 'name="other"'), 400, /^INVALID_ARGUMENT: the form has no part named "module"/],
        [await post(url, '/api/module/deploy', '{}'), 415, /^UNSUPPORTED_MEDIA_TYPE: /],
        [await post(url, '/api/workflow/start', '{'), 400, /^INVALID_JSON: /],
        [await post(url, '/api/workflow/start', '{"module":"shop"}'), 400, /^INVALID_ARGUMENT: /],
        [
          await post(url, '/api/workflow/start', startBody('{')),
          400,
          /^INVALID_JSON: "input" is a string that holds JSON/,
        ],
        [await post(url, '/api/workflow/start', body.replace('shop', 'gone')), 404, /^MODULE_NOT_FOUND: /],
        [await post(url, '/api/workflow/start', body.replace('main', 'gone')), 404, /^WORKFLOW_NOT_FOUND: /],
        [await post(url, '/api/workflow/start', body), 422, /^WORKFLOW_FAILED: workflow wkf_\w+ is failed: /],
        [await post(url, '/api/workflow/send-msg/wkf_gone', '{"type":"a","data":"1"}'), 404, /^JOB_NOT_FOUND: /],
        [await post(url, '/api/workflow/stop', '{}'), 404, /^ROUTE_NOT_FOUND: /],
      ] as const) {
        assert.equal(Number(answer.head[0]?.split(' ')[1]), status, answer.body);
        const read = JSON.parse(answer.body) as { readonly error: string };
        assert.deepEqual(Object.keys(read), ['error']);
        assert.match(read.error, error);
      }
    });
  });
});
