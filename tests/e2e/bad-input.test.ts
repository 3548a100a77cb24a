import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeModule } from '@mvm-ci/protocol';
import { mvmCi } from './command.ts';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;

const errorOf = async (response: Response): Promise<{ status: number; code: string; message: string }> => {
  const body: unknown = await response.json();
  assert.ok(typeof body === 'object' && body !== null && 'error' in body);
  const { error } = body;
  assert.ok(typeof error === 'object' && error !== null && 'code' in error && 'message' in error);
  return { status: response.status, code: String(error.code), message: String(error.message) };
};

/** `(module (import "env" "now" (func)))`: a core module that asks for something that no guest gets. */
const importingWasm = Uint8Array.fromHex('0061736d01000000010401600000020b0103656e76036e6f770000');

const coreFile = (code: Uint8Array): Uint8Array =>
  encodeModule({ kind: 'core', runtime: '', workflows: ['main'], code, sourceMap: new Uint8Array() });

describe('bad input', () => {
  let scene: Scene;
  let signal: AbortSignal;

  before(async () => {
    signal = AbortSignal.timeout(2 * deadlineMs);
    scene = await Scene.start({ workers: 1, slots: 8, workerArgs: ['--threads', '1'] });
    await scene.deploy('probe');
  });
  // The proof that each of these harmed nothing but itself: afterwards the cluster still works.
  after(async () => {
    await using receiver = await Receiver.start();
    const [id = ''] = await scene.publish([{ workflow: 'probe/ask', input: { url: receiver.url } }]);
    assert.equal((await scene.ended(id, signal)).status, 'completed');
    await scene[Symbol.asyncDispose]();
  });

  describe('in a request', () => {
    const post = (path: string, body: string | Uint8Array<ArrayBuffer>): Promise<Response> =>
      fetch(scene.cluster.url + path, {
        method: 'POST',
        headers: { 'content-type': typeof body === 'string' ? 'application/json' : 'application/octet-stream' },
        body,
      });

    it('that is not JSON is INVALID_JSON', async () => {
      const error = await errorOf(await post('/queue/publish', '{"workflow":'));
      assert.deepEqual([error.status, error.code], [400, 'INVALID_JSON']);
    });

    it('that names an unknown module is MODULE_NOT_FOUND, and says the name', async () => {
      const error = await errorOf(await post('/queue/publish', '{"workflow":"nobody"}'));
      assert.deepEqual([error.status, error.code], [404, 'MODULE_NOT_FOUND']);
      assert.match(error.message, /nobody/);
    });

    it('that names an unknown workflow of a module is WORKFLOW_NOT_FOUND, and says which exist', async () => {
      const error = await errorOf(await post('/queue/publish', '{"workflow":"probe/nothing"}'));
      assert.deepEqual([error.status, error.code], [404, 'WORKFLOW_NOT_FOUND']);
      assert.match(error.message, /askEach/);
    });

    it('that is too large is PAYLOAD_TOO_LARGE, and says the limit', async () => {
      const error = await errorOf(
        await post('/queue/publish', JSON.stringify({ workflow: 'probe', input: 'x'.repeat(1_100_000) })),
      );
      assert.deepEqual([error.status, error.code], [413, 'PAYLOAD_TOO_LARGE']);
      assert.match(error.message, /1[_,]?048[_,]?576/);
    });

    it('for an unknown job is JOB_NOT_FOUND', async () => {
      const error = await errorOf(await fetch(`${scene.cluster.url}/queue/status/nobody`));
      assert.deepEqual([error.status, error.code], [404, 'JOB_NOT_FOUND']);
    });

    it('with broken WebAssembly is MODULE_INVALID', async () => {
      const path = '/modules?name=broken&version=1';
      for (const file of [new Uint8Array([1, 2, 3]), coreFile(new Uint8Array([0, 0x61, 0x73, 0x6d, 9]))]) {
        const error = await errorOf(await post(path, new Uint8Array(file)));
        assert.deepEqual([error.status, error.code], [422, 'MODULE_INVALID']);
      }
    });

    it('with a module that imports what no guest gets is MODULE_UNKNOWN_IMPORT, and names it', async () => {
      const error = await errorOf(
        await post('/modules?name=importing&version=1', new Uint8Array(coreFile(importingWasm))),
      );
      assert.deepEqual([error.status, error.code], [422, 'MODULE_UNKNOWN_IMPORT']);
      assert.match(error.message, /env.*now/);
    });
  });

  describe('in a workflow', () => {
    const cases: readonly (readonly [workflow: string, code: string, text: RegExp])[] = [
      ['probe/spin', 'STEP_TIMEOUT', /5/],
      ['probe/spinNatively', 'STEP_TIMEOUT', /5/],
      ['probe/stuck', 'WORKFLOW_STUCK', /./],
      ['probe/boom', 'WORKFLOW_FAILED', /the author said no[\s\S]*probe\.ts:\d+/],
      ['probe/hoard', 'OUT_OF_MEMORY', /./],
    ];
    for (const [workflow, code, text] of cases) {
      it(`${workflow} ends in ${code} while others on the same thread finish`, async () => {
        await using receiver = await Receiver.start();
        const input = { url: receiver.url, times: 5, pauseMs: 50 };
        const others = await scene.publish([1, 2, 3].map(() => ({ workflow: 'probe/keepAsking', input })));
        const [bad = ''] = await scene.publish([{ workflow }]);
        const ended = await scene.ended(bad, signal);
        assert.equal(ended.status, 'failed');
        assert.equal(ended.error?.code, code);
        assert.match(ended.error.message, text);
        for (const job of await scene.allEnded(others, signal)) assert.equal(job.status, 'completed');
        assert.equal(receiver.requests.length, 15, 'the loss of the thread repeated an effect');
      });
    }

    it('that fails is tried again with a journal of its own, as often as was allowed', async () => {
      let asked = 0;
      await using receiver = await Receiver.start((_, respond) => respond((asked += 1) < 3 ? 500 : 200, 'x'));
      const backoff = { initial_ms: 10, factor: 1, max_ms: 10 };
      const job = { workflow: 'probe/failUntilOk', input: { url: receiver.url }, attempts_max: 5, backoff };
      const [id = ''] = await scene.publish([job]);
      const ended = await scene.ended(id, signal);
      assert.deepEqual([ended.status, ended.attempt, ended.result], ['completed', 3, 'at last']);
      const keys = receiver.requests.map(({ key }) => key);
      assert.deepEqual(keys, [`${id}:1:1`, `${id}:2:1`, `${id}:3:1`]);
    });
  });

  describe('on the command line', () => {
    const folder = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
    const failing = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await mvmCi([...args], signal);
      assert.notEqual(code, 0, `mvm-ci ${args.join(' ')} should have failed`);
      return stderr;
    };

    it('a script with a syntax error names the file and the line of the author', async () => {
      // Written here: a file that no tool can parse has no place among the sources.
      const broken = await mkdtemp(join(tmpdir(), 'mvm-ci-broken-'));
      try {
        await mkdir(join(broken, 'src'));
        await writeFile(join(broken, 'package.json'), '{"name":"broken","version":"1.0.0","main":"src/broken.ts"}');
        await writeFile(
          join(broken, 'src/broken.ts'),
          'const fine = 1;\nexport const broken = async () => {\n  const = 2;\n};\n',
        );
        const said = await failing('deploy', broken, '--url', scene.cluster.url);
        assert.match(said, /BUILD_FAILED|MODULE_SYNTAX_ERROR/);
        assert.match(said, /src\/broken\.ts:3/);
      } finally {
        await rm(broken, { recursive: true, force: true });
      }
    });

    it('a script that throws at load names the file and the line of the author', async () => {
      const said = await failing('deploy', folder('broken-load'), '--url', scene.cluster.url);
      assert.match(said, /MODULE_LOAD_FAILED/);
      assert.match(said, /no limit is set/);
      assert.match(said, /src\/broken\.ts:4/);
    });

    it('a malformed ticket is TICKET_INVALID and says what a ticket looks like or what is wrong with it', async () => {
      assert.match(await failing('worker', '--ticket', 'hello'), /TICKET_INVALID/);
      const damaged = `${scene.cluster.ticket.slice(0, -4)}aaaa`;
      assert.match(await failing('worker', '--ticket', damaged), /TICKET_INVALID/);
    });

    it('a wrong token is UNAUTHENTICATED', async () => {
      await using guarded = await Scene.start({ controlPlaneArgs: ['--token', 'the-right-one-0123456789'] });
      const said = await failing('stats', '--url', guarded.cluster.url, '--token', 'a-wrong-one');
      assert.match(said, /UNAUTHENTICATED/);
    });

    it('input that is not JSON says so, and where', async () => {
      assert.match(await failing('publish', 'probe', '--input', '{url}', '--url', scene.cluster.url), /JSON/);
    });
  });
});
