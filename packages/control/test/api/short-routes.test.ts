import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import { limits } from '@mvm-ci/protocol';
import { startControlPlane, type ControlPlane } from '../../src/control-plane.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

const token = 'secret';

const start = (data: string, host?: string): Promise<ControlPlane> =>
  startControlPlane({
    data,
    http: { port: 0, host },
    peer: { bind: ['127.0.0.1:0'] },
    admit: (file) => Promise.resolve({ workflows: file.workflows }),
    pendingJobsMax: 3,
    ...(host !== undefined && { token }),
  });

interface Answered {
  readonly status: number | undefined;
  readonly headers: readonly string[];
  readonly body: string;
}

interface Sending {
  readonly path?: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** POSTs a body of a known length. */
const send = async (
  plane: ControlPlane,
  { path = '/queue/publish', body, headers = {} }: Sending,
): Promise<Answered> => {
  const length = { 'content-length': String(Buffer.byteLength(body)) };
  const outgoing = request(new URL(path, plane.httpUrl), { method: 'POST', headers: { ...length, ...headers } });
  const answered: Promise<IncomingMessage[]> = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = await answered;
  assert.ok(response);
  const kept = ['content-type', 'retry-after'].map((name) => `${name}: ${String(response.headers[name])}`);
  return { status: response.statusCode, headers: kept, body: await text(response) };
};

const payload = (id: string): string => JSON.stringify({ job_id: id, payload: 1 });

const cases: Readonly<Record<string, Sending>> = {
  'a job that is there already': { body: payload('there') },
  'the id of another job': { body: JSON.stringify({ job_id: 'there', payload: 2 }) },
  'a module that there is not': { body: JSON.stringify({ job_id: 'a', workflow: 'absent' }) },
  'a body that is not JSON': { body: '{"job_id":' },
  'a body that is not UTF-8': { body: '"\uD800"' },
  'a field of another type': { body: JSON.stringify({ job_id: 7, payload: 1 }) },
  'too many jobs for a queue': {
    path: '/queue/publish-many',
    body: `{"jobs":[${['b', 'c', 'd'].map(payload).join(',')}]}`,
  },
  'no job': { path: '/queue/publish-many', body: '{"jobs":[]}' },
  'a foreign host': { body: payload('e'), headers: { host: 'example.org' } },
  'a page of another site': { body: payload('f'), headers: { origin: 'https://example.org' } },
  'a coding that is not known': { body: payload('g'), headers: { 'content-encoding': 'gzip' } },
  'a body that is too long': { body: JSON.stringify({ payload: 'x'.repeat(limits.requestBytesMax) }) },
};

suite('the short routes', () => {
  test('answer and refuse as the others do', async () => {
    using folder = new TemporaryFolder();
    await using plane = await start(folder.path);
    assert.equal((await send(plane, { body: payload('there') })).status, 200);
    for (const [name, sending] of Object.entries(cases)) {
      const short = await send(plane, sending);
      // A query makes it a request like any other.
      const ordinary = await send(plane, { ...sending, path: `${sending.path ?? '/queue/publish'}?` });
      assert.deepEqual(short, ordinary, name);
    }
  });

  test('demand the token where the others do', async () => {
    using folder = new TemporaryFolder();
    await using plane = await start(folder.path, '0.0.0.0');
    const sending = { body: payload('a') };
    assert.equal((await send(plane, sending)).status, 401);
    assert.equal((await send(plane, { ...sending, headers: { authorization: 'Bearer another' } })).status, 401);
    const letIn = await send(plane, { ...sending, headers: { authorization: `Bearer ${token}` } });
    assert.equal(letIn.status, 200);
  });

  test('take a body that comes in pieces, and publish nothing of one that is cut off', async () => {
    using folder = new TemporaryFolder();
    await using plane = await start(folder.path);
    const { hostname, port } = new URL(plane.httpUrl);
    const head = (body: string): string =>
      `POST /queue/publish HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const pieces = connect(Number(port), hostname);
    const whole = payload('whole');
    pieces.write(head(whole) + whole.slice(0, 9));
    const cut = connect(Number(port), hostname);
    cut.write(head(payload('cut')) + payload('cut').slice(0, 9));
    // By its answer the server has seen what was sent before.
    assert.equal((await send(plane, { body: payload('between') })).status, 200);
    cut.destroy();
    pieces.write(whole.slice(9));
    const [answer] = await once(pieces, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 200 .*"created":true/s);
    const listed = await (await fetch(new URL('/queue/list', plane.httpUrl))).text();
    pieces.destroy();
    assert.match(listed, /"whole"/);
    assert.doesNotMatch(listed, /"cut"/);
  });
});
