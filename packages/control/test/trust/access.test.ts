/**
 * Every route as everybody, over both listeners. The tables here are what is reviewed: an operation that is added is a line
 * that is missing, until somebody has decided who may use it.
 */
import { peerProtocol, routes, type NodeRole } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { operations } from '../../src/api/api.ts';
import type { Operation } from '../../src/api/operation.ts';
import { startControlPlane, type ControlPlane } from '../../src/control-plane.ts';
import { systemRandom } from '../../src/system-random.ts';
import { firstBatch, moduleFile } from '../api/test-plane.ts';
import { PeerUser, type Answered } from '../fixtures/peer-user.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

/** `ok`: let in, whatever the operation then said to a request that asks for nothing that exists. */
const expected = `
                                  | HTTP:            | iroh:
                                  | token  no token  | stranger  worker  publisher  admin  banned
POST /queue/publish               | ok     401       | join      no      ok         ok     no
POST /queue/publish-many          | ok     401       | join      no      ok         ok     no
POST /queue/claim                 | ok     401       | join      ok      no         ok     no
GET  /queue/list                  | ok     401       | join      no      ok         ok     no
GET  /queue/stats                 | ok     401       | join      no      ok         ok     no
GET  /queue/status/:job           | ok     401       | join      ok      ok         ok     no
POST /queue/status/:job           | ok     401       | join      ok      no         ok     no
POST /queue/cancel/:job           | ok     401       | join      no      ok         ok     no
POST /queue/move/:job             | ok     401       | join      no      no         ok     no
POST /queue/cancel-many           | ok     401       | join      no      no         ok     no
POST /queue/retry/:job            | ok     401       | join      no      ok         ok     no
POST /queue/retry-many            | ok     401       | join      no      no         ok     no
GET  /queue/why/:job              | ok     401       | join      no      ok         ok     no
GET  /queue/queues                | ok     401       | join      no      ok         ok     no
GET  /queue/queues/:queue         | ok     401       | join      no      ok         ok     no
POST /queue/queues/:queue         | ok     401       | join      no      no         ok     no
POST /queue/send/:job             | ok     401       | join      no      ok         ok     no
POST /queue/query/:job            | ok     401       | join      no      ok         ok     no
GET  /queue/children/:job         | ok     401       | join      no      ok         ok     no
GET  /queue/journal/:job          | ok     401       | join      no      no         ok     no
GET  /queue/journal-batches/:job  | ok     401       | join      no      no         ok     no
POST /queue/replay/:job           | ok     401       | join      no      no         ok     no
GET  /queue/logs/:job             | ok     401       | join      no      no         ok     no
GET  /queue/logs/:job/events      | ok     401       | join      no      no         ok     no
GET  /queue/events                | ok     401       | join      no      ok         ok     no
POST /peer/join                   | no     401       | ok        ok      ok         ok     no
POST /peer/leave                  | ok     401       | join      ok      no         ok     no
POST /peer/claim                  | ok     401       | join      ok      no         ok     no
POST /peer/heartbeat              | ok     401       | join      ok      no         ok     no
POST /peer/append                 | ok     401       | join      ok      no         ok     no
POST /peer/finish                 | ok     401       | join      ok      no         ok     no
GET  /peer/journal/:job           | ok     401       | join      ok      no         ok     no
POST /peer/snapshot               | ok     401       | join      ok      no         ok     no
POST /peer/inbox                  | ok     401       | join      ok      no         ok     no
POST /peer/errand                 | ok     401       | join      ok      no         ok     no
GET  /peer/errand-journal/:errand | ok     401       | join      ok      no         ok     no
GET  /peer/module/:hash           | ok     401       | join      ok      no         ok     no
POST /peer/stream                 | no     401       | join      ok      ok         ok     no
POST /engine/link                 | no     401       | join      ok      no         ok     no
GET  /webhooks                    | ok     401       | join      no      no         ok     no
POST /webhooks/:webhook           | ok     401       | join      no      no         ok     no
POST /webhooks/:webhook/delete    | ok     401       | join      no      no         ok     no
GET  /schedules                   | ok     401       | join      no      ok         ok     no
GET  /schedules/:schedule         | ok     401       | join      no      ok         ok     no
POST /schedules/:schedule         | ok     401       | join      no      no         ok     no
POST /schedules/:schedule/delete  | ok     401       | join      no      no         ok     no
POST /schedules/:schedule/trigger | ok     401       | join      no      no         ok     no
POST /schedules/:schedule/backfill | ok     401       | join      no      no         ok     no
GET  /nodes                       | ok     401       | join      no      no         ok     no
POST /nodes/:node/ban             | ok     401       | join      no      no         ok     no
POST /nodes/:node/drain           | ok     401       | join      no      no         ok     no
POST /nodes/:node/allow           | ok     401       | join      no      no         ok     no
POST /nodes/:node/rename          | ok     401       | join      no      no         ok     no
GET  /tickets                     | ok     401       | join      no      no         ok     no
POST /tickets                     | ok     401       | join      no      no         ok     no
POST /tickets/:ticket/revoke      | ok     401       | join      no      no         ok     no
POST /modules                     | ok     401       | join      no      no         ok     no
POST /modules/candidate           | ok     401       | join      no      no         ok     no
POST /modules/repin               | ok     401       | join      no      no         ok     no
GET  /modules                     | ok     401       | join      no      no         ok     no
GET  /modules/:hash               | ok     401       | join      no      no         ok     no
GET  /modules/:hash/file          | ok     401       | join      no      no         ok     no
GET  /blobs/:hash                 | ok     401       | join      no      ok         ok     no
POST /blobs                       | ok     401       | join      no      ok         ok     no
POST /peer/blob                   | ok     401       | join      ok      no         ok     no
GET  /peer/blob/:hash             | ok     401       | join      ok      no         ok     no
GET  /                            | ok     401       | join      ok      ok         ok     no
GET  /healthz                     | ok     ok        | join      ok      ok         ok     no
GET  /readyz                      | ok     ok        | join      ok      ok         ok     no
GET  /metrics                     | ok     401       | join      no      no         ok     no
GET  /openapi.json                | ok     401       | join      ok      ok         ok     no
`;

/** What each caller hears about a job that worker A holds under epoch 1. */
const leaseTable = `
                    | A                   | B                   | publisher           | admin               | operator
POST /peer/heartbeat| kept                | lost                | FORBIDDEN           | lost                | lost
POST /peer/append   | ok                  | STALE_LEASE         | FORBIDDEN           | STALE_LEASE         | STALE_LEASE
GET  /peer/journal  | ok                  | STALE_LEASE         | FORBIDDEN           | STALE_LEASE         | STALE_LEASE
POST /peer/snapshot | ok                  | STALE_LEASE         | FORBIDDEN           | STALE_LEASE         | STALE_LEASE
POST /peer/inbox    | ok                  | STALE_LEASE         | FORBIDDEN           | STALE_LEASE         | STALE_LEASE
GET  /queue/status  | ok                  | FORBIDDEN           | ok                  | ok                  | ok
POST /queue/status  | INVALID_TRANSITION  | INVALID_TRANSITION  | FORBIDDEN           | INVALID_TRANSITION  | INVALID_TRANSITION
POST /peer/finish   | ok                  | STALE_LEASE         | FORBIDDEN           | STALE_LEASE         | STALE_LEASE
`;

/** Sends one request as somebody. */
type Send = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<Answered>;

const token = 'the-operators-token';
const folder = new TemporaryFolder();
const users = new AsyncDisposableStack();
let plane: ControlPlane;

before(async () => {
  plane = await startControlPlane({
    data: folder.path,
    http: { port: 0 },
    token,
    peer: { bind: ['127.0.0.1:0'] },
    admit: (file) => Promise.resolve({ workflows: file.workflows }),
  });
});

after(async () => {
  await users.disposeAsync();
  await plane.stop();
  folder[Symbol.dispose]();
});

const overHttp =
  (bearer: string | undefined): Send =>
  async (method, path, body) => {
    const response = await fetch(`${plane.httpUrl}${path}`, {
      method,
      headers: {
        'content-type': body instanceof Uint8Array ? 'application/octet-stream' : 'application/json',
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      },
      ...(body !== undefined && {
        body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body, base64),
      }),
    });
    const isJson = response.headers.get('content-type') === 'application/json';
    if (!isJson) await response.body?.cancel();
    return { status: response.status, body: isJson ? await response.json() : {} };
  };

/** JSON has bytes as base64. */
const base64 = (_: string, value: unknown): unknown => (value instanceof Uint8Array ? value.toBase64() : value);

const asOperator = overHttp(token);

const member = async (role: NodeRole): Promise<PeerUser> => {
  const { body } = await asOperator('POST', '/tickets', { role, uses: 1 });
  return users.use(await PeerUser.join(String(body.ticket)));
};

const banned = async (): Promise<PeerUser> => {
  const key = systemRandom.bytes(32);
  const first = users.use(await PeerUser.join(plane.ticket, key));
  await asOperator('POST', `/nodes/${first.id}/ban`, { reason: 'a test' });
  // The ban has closed the first connection; another one is let in as far as to hear of it.
  await first.client.closed;
  return users.use(await PeerUser.connect(plane.ticket, key));
};

const sendAs =
  (user: PeerUser): Send =>
  (method, path, body) =>
    user.call(method, path, body);

const columns = (head: string): readonly string[] => head.split(/[ |]{2,}/).filter((name) => name !== '');

const routeText = (one: Operation): string => `${one.method.padEnd(4)} ${routes[one.route]}`;

const refusals: Readonly<Record<string, string>> = { UNAUTHENTICATED: '401', NOT_JOINED: 'join', FORBIDDEN: 'no' };

const verdict = async (one: Operation, send: Send | undefined): Promise<string> => {
  assert.ok(send);
  // A banned node that joins is refused by what it is, not by what it sends.
  const isJoin = one.route === 'join';
  const body = isJoin ? { protocol: peerProtocol, incarnation: 'i1' } : {};
  const path = routes[one.route].replace(/:[a-z]+/, 'none');
  const answer = await send(one.method, path, one.method === 'POST' ? body : undefined);
  // A stranger without a ticket may ask to join, and hears that it needs one.
  if (isJoin && answer.status === 401 && String(answer.body.error.message).includes('ticket')) return 'ok';
  return refusals[answer.body.error?.code] ?? 'ok';
};

suite('every route', () => {
  const lines = expected.trim().split('\n').slice(1);
  const names = columns(expected.split('\n')[2] ?? '').filter((name) => name !== '');
  const senders = new Map<string, Send>();

  before(async () => {
    senders.set('token', asOperator).set('no token', overHttp(undefined));
    senders.set('stranger', sendAs(users.use(await PeerUser.connect(plane.ticket))));
    for (const role of ['worker', 'publisher', 'admin'] as const) senders.set(role, sendAs(await member(role)));
    senders.set('banned', sendAs(await banned()));
  });

  test('is in the table', () => {
    const listed = lines.slice(1).map((line) => line.slice(0, line.indexOf('|')).trim());
    assert.deepEqual(operations.map(routeText).toSorted(), listed.toSorted());
  });

  for (const one of operations) {
    test(`${routeText(one)} answers everybody as the table says`, async () => {
      const line = lines.find((text) => text.slice(0, text.indexOf('|')).trim() === routeText(one)) ?? '';
      const answers: string[] = [];
      for (const name of names) answers.push(await verdict(one, senders.get(name)));
      assert.deepEqual(
        names.map((name, index) => `${name}: ${answers[index]}`),
        columns(line.slice(line.indexOf('|'))).map((cell, index) => `${names[index]}: ${cell}`),
      );
    });
  }
});

const withWorker = (body: unknown): unknown => (typeof body === 'object' ? { ...body, worker: 'w9' } : body);

const snapshot = {
  entries: 1,
  runtime: 'r',
  imageHash: '00'.repeat(32),
  bytes: new Uint8Array(1),
  seal: new Uint8Array(32),
};

const onHeldJob = async (route: string, send: Send | undefined): Promise<string> => {
  assert.ok(send);
  const lease = { job: 'held', epoch: 1 };
  const batch = firstBatch('held', [{ kind: 'intents', intents: [] }]);
  switch (route) {
    case 'POST /peer/heartbeat': {
      const { body } = await send('POST', '/peer/heartbeat', { incarnation: 'i1', held: [lease] });
      return String(body.error?.code ?? (body.lost.length === 0 ? 'kept' : 'lost'));
    }
    case 'POST /peer/append':
      return itemCode(await send('POST', '/peer/append', { appends: [{ ...lease, attempt: 1, ...batch }] }));
    case 'GET  /peer/journal':
      return code(await send('GET', '/peer/journal/held?epoch=1'));
    case 'POST /peer/snapshot':
      return code(await send('POST', '/peer/snapshot', { ...lease, attempt: 1, snapshot }));
    case 'POST /peer/inbox':
      return code(await send('POST', '/peer/inbox', { ...lease, after: 0 }));
    case 'GET  /queue/status':
      return code(await send('GET', '/queue/status/held'));
    case 'POST /queue/status':
      return code(await send('POST', '/queue/status/held', { status: 'completed' }));
    default: {
      const outcome = { type: 'completed', result: '1' };
      return itemCode(await send('POST', '/peer/finish', { finishes: [{ ...lease, attempt: 1, outcome }] }));
    }
  }
};

const code = (answer: Answered): string => String(answer.body.error?.code ?? 'ok');

const itemCode = (answer: Answered): string =>
  String(answer.body.error?.code ?? answer.body.results[0].error?.code ?? 'ok');

suite('a job that worker A holds', () => {
  const lines = leaseTable.trim().split('\n');
  const callers = new Map<string, Send>();

  before(async () => {
    const worker = await member('worker');
    callers.set('A', sendAs(worker)).set('B', sendAs(await member('worker')));
    for (const role of ['publisher', 'admin'] as const) callers.set(role, sendAs(await member(role)));
    const named: Send = (method, path, body) =>
      asOperator(
        method,
        method === 'GET' ? `${path}${path.includes('?') ? '&' : '?'}worker=w9` : path,
        withWorker(body),
      );
    callers.set('operator', named);
    await asOperator('POST', '/modules?name=crawler&version=1', moduleFile());
    await asOperator('POST', '/queue/publish', { job_id: 'held', workflow: 'crawler' });
    await worker.call('POST', '/peer/claim', { incarnation: 'i1', capacity: 1 });
  });

  for (const line of lines.slice(1)) {
    const [route = '', ...cells] = line.split('|').map((cell) => cell.trim());
    test(`answers ${route} to everybody as the table says`, async () => {
      const names = (lines[0] ?? '')
        .split('|')
        .slice(1)
        .map((name) => name.trim());
      const answers = new Map<string, string>();
      // Others first: what A itself does may end its hold.
      for (const name of names.toReversed()) answers.set(name, await onHeldJob(route, callers.get(name)));
      assert.deepEqual(
        names.map((name) => answers.get(name)),
        cells,
      );
    });
  }
});
