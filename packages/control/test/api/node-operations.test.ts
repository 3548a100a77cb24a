import { peerProtocol } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { column, peer, TestPlane, type Called } from './test-plane.ts';

const id = (digit: string): string => digit.repeat(64);

/** A plane whose tickets are their tokens. */
const ticketPlane = async (): Promise<TestPlane> => {
  const plane = await TestPlane.open();
  plane.core.tickets.serveAt((token) => token);
  return plane;
};

const create = async (plane: TestPlane, body: object = {}): Promise<Called['body']> =>
  (await plane.call('POST', '/tickets', { body })).body;

const join = (plane: TestPlane, node: string, body: object): Promise<Called> =>
  plane.packed('/peer/join', { protocol: peerProtocol, incarnation: 'i1', ...body }, peer(node));

const code = ({ status, body }: Called): string => (status === 200 ? 'ok' : String(body.error.code));

suite('a ticket', () => {
  test('gives its role and tags to the node that joins by it first', async () => {
    await using plane = await ticketPlane();
    const { ticket, id: ticketId } = await create(plane, { role: 'publisher', tags: ['a', 'b', 'a'] });
    const joined = await join(plane, id('1'), { token: ticket, name: 'desk' });
    assert.equal(joined.body.role, 'publisher');
    const [node] = (await plane.call('GET', '/nodes')).body;
    assert.deepEqual([node.name, node.role, node.tags, node.ticket], ['desk', 'publisher', ['a', 'b'], ticketId]);
    const worker = await create(plane);
    assert.equal(code(await join(plane, id('1'), { token: worker.ticket })), 'ROLE_CONFLICT');
    assert.equal((await plane.call('GET', '/queue/stats')).body.workers, 0);
  });

  test('counts new nodes, expires by the control plane’s clock, and can be revoked', async () => {
    await using plane = await ticketPlane();
    const once = await create(plane, { uses: 1, name: 'build' });
    const short = await create(plane, { expires_in_ms: 60_000 });
    const tokens = [once.ticket, once.ticket, short.ticket];
    const codes: string[] = [];
    for (const [index, token] of tokens.entries()) codes.push(code(await join(plane, id(String(index)), { token })));
    assert.deepEqual(codes, ['ok', 'TICKET_USED_UP', 'ok']);
    assert.equal(code(await join(plane, id('0'), { token: once.ticket })), 'ok');
    plane.clock.advance(60_000);
    assert.equal(code(await join(plane, id('5'), { token: short.ticket })), 'TICKET_EXPIRED');
    const open = await create(plane);
    const revoked = await plane.call('POST', `/tickets/${open.id}/revoke`);
    assert.deepEqual([revoked.body.state, revoked.body.revoked_at_ms], ['revoked', plane.clock.wallMs()]);
    assert.equal(code(await join(plane, id('6'), { token: open.ticket })), 'TICKET_REVOKED');
    const list = (await plane.call('GET', '/tickets')).body;
    assert.deepEqual(column(list, 'state').map(String).toSorted(), ['expired', 'revoked', 'used-up']);
    assert.equal(code(await plane.call('POST', '/tickets/none/revoke')), 'TICKET_NOT_FOUND');
  });

  test('is shown once: neither a list nor the database has its token', async () => {
    await using plane = await ticketPlane();
    const { ticket } = await create(plane);
    const listed = JSON.stringify((await plane.call('GET', '/tickets')).body);
    await plane.core.stop();
    const stored = ['', '-wal'].map((end) => contentOf(joinPath(plane.folder.path, `control.db${end}`))).join('');
    assert.deepEqual(
      [listed, stored].map((text) => text.includes(String(ticket))),
      [false, false],
    );
  });

  test('of another cluster is refused, also from a node that is known here', async () => {
    await using plane = await ticketPlane();
    const { ticket: token } = await create(plane);
    const elsewhere = await join(plane, id('1'), { token, cluster: 'another' });
    assert.equal(code(elsewhere), 'TICKET_OF_ANOTHER_CLUSTER');
    assert.equal(code(await join(plane, id('1'), { token, cluster: plane.core.cluster })), 'ok');
    assert.equal(code(await join(plane, id('1'), { cluster: 'another' })), 'TICKET_OF_ANOTHER_CLUSTER');
  });

  test('can’t be made before the peer plane is up', async () => {
    await using plane = await TestPlane.open();
    assert.equal(code(await plane.call('POST', '/tickets', { body: {} })), 'UNAVAILABLE');
  });

  for (const wrong of [{ uses: 0 }, { role: 'king' }, { tags: ['with space'] }, { expires_in_ms: 1 }]) {
    test(`with ${JSON.stringify(wrong)} is INVALID_ARGUMENT`, async () => {
      await using plane = await ticketPlane();
      assert.equal(code(await plane.call('POST', '/tickets', { body: wrong })), 'INVALID_ARGUMENT');
    });
  }
});

const contentOf = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
};

const twoWorkers = async (): Promise<TestPlane> => {
  const plane = await ticketPlane();
  await plane.core.tickets.keepOwn('own');
  await join(plane, id('1'), { token: 'own', name: 'one' });
  await join(plane, id('2'), { token: 'own', name: 'two' });
  await plane.deploy();
  return plane;
};

const claim = (plane: TestPlane, node: string, waitMs = 0): Promise<Called> =>
  plane.packed('/peer/claim', { incarnation: 'i1', capacity: 1, waitMs }, peer(node));

const ban = (plane: TestPlane, node: string, reason = 'disk is failing'): Promise<Called> =>
  plane.call('POST', `/nodes/${node}/ban`, { body: { reason } });

suite('a ban', () => {
  test('gives the node’s jobs to a waiting worker at once, as no lost lease, and refuses the node with the reason', async () => {
    await using plane = await twoWorkers();
    await plane.call('POST', '/queue/publish', { body: { job_id: 'a', workflow: 'crawler' } });
    assert.equal((await claim(plane, id('1'))).body.jobs[0].job, 'a');
    const waiting = claim(plane, id('2'), 20_000);
    await turn();
    assert.notEqual((await ban(plane, 'one')).body.banned_at_ms, null);
    const [job] = (await waiting).body.jobs;
    assert.deepEqual([job.job, job.epoch], ['a', 2]);
    const status = (await plane.call('GET', '/queue/status/a')).body;
    assert.deepEqual([status.lost_leases, status.claimed_by], [0, id('2')]);
    const held = [{ job: 'a', epoch: 1 }];
    const beat = await plane.packed('/peer/heartbeat', { incarnation: 'i1', held }, peer(id('1')));
    assert.deepEqual([beat.status, beat.body.error.details.reason], [403, 'disk is failing']);
    assert.match(String(beat.body.error.message), /is banned: disk is failing/);
    assert.equal(code(await join(plane, id('1'), { token: 'own' })), 'FORBIDDEN');
  });

  test('ends a claim that waits, and takes the node off the workers', async () => {
    await using plane = await twoWorkers();
    const waiting = claim(plane, id('1'), 20_000);
    await turn();
    await ban(plane, id('1'));
    assert.deepEqual((await waiting).body.jobs, []);
    assert.equal((await plane.call('GET', '/queue/stats')).body.workers, 1);
  });

  test('survives a restart, and so does its end', async () => {
    await using plane = await twoWorkers();
    await ban(plane, 'one');
    await plane.restart();
    assert.equal(code(await claim(plane, id('1'))), 'FORBIDDEN');
    assert.equal((await plane.call('POST', '/nodes/one/allow')).body.banned_at_ms, null);
    await plane.restart();
    assert.equal(code(await join(plane, id('1'), {})), 'ok');
    assert.equal(code(await claim(plane, id('1'))), 'ok');
  });
});

suite('a node', () => {
  test('is found by id, by the beginning of one, and by name; who is meant must be clear', async () => {
    await using plane = await twoWorkers();
    await join(plane, '1'.repeat(63) + '2', { token: 'own', name: 'two' });
    const found = async (text: string): Promise<string> => {
      const called = await plane.call('POST', `/nodes/${text}/allow`);
      return called.status === 200 ? String(called.body.name) : code(called);
    };
    assert.deepEqual(
      [await found(id('1')), await found('2'), await found('one'), await found('nobody')],
      ['one', 'two', 'one', 'NODE_NOT_FOUND'],
    );
    assert.deepEqual([await found('11'), await found('two')], ['NODE_AMBIGUOUS', 'NODE_AMBIGUOUS']);
    const { error } = (await plane.call('POST', '/nodes/two/allow')).body;
    assert.deepEqual(column(error.details.candidates, 'node'), [id('2'), '1'.repeat(63) + '2']);
    assert.ok(String(error.message).includes(`${id('2')} (two)`));
    // One of the two has left: the other one is meant.
    await plane.packed('/peer/leave', { incarnation: 'i1' }, peer(id('2')));
    assert.equal(await found('two'), 'two');
    assert.equal((await plane.call('POST', '/nodes/two/drain')).body.node, '1'.repeat(63) + '2');
  });

  test('keeps the operator’s name when it joins under another, also after a restart', async () => {
    await using plane = await twoWorkers();
    await plane.call('POST', '/nodes/one/rename', { body: { name: 'north' } });
    await plane.restart();
    await join(plane, id('1'), { name: 'own-name' });
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'name'), ['north', 'two']);
    assert.equal(
      code(await plane.call('POST', '/nodes/two/rename', { body: { name: 'with space' } })),
      'INVALID_ARGUMENT',
    );
  });

  test('is not alive when a second idle heartbeat of it is late', async () => {
    await using plane = await twoWorkers();
    const { idleHeartbeatMs } = plane.core.periods;
    plane.clock.advance(2 * idleHeartbeatMs + controlLimits.lateHeartbeatMs - 1);
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [true, true]);
    plane.clock.advance(1);
    await claim(plane, id('1'));
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [true, false]);
  });

  test('that waits for jobs is asked for a sign of life when nodes are listed, and is gone when it gives none', async () => {
    await using plane = await twoWorkers();
    const waiting = [claim(plane, id('1'), 20_000), claim(plane, id('2'), 20_000)];
    await turn();
    plane.clock.advance(controlLimits.rollCallQuietMs + 1);
    const listed = plane.call('GET', '/nodes');
    for (const asked of await Promise.all(waiting)) assert.deepEqual(asked.body.jobs, []);
    const again = claim(plane, id('1'), 20_000);
    plane.clock.advance(controlLimits.rollCallMs);
    assert.deepEqual(column((await listed).body, 'alive'), [true, false]);
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [true, false]);
    await claim(plane, id('2'));
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [true, true]);
    await plane.core.stop();
    await again;
  });

  test('is gone at once when it hangs up while it waits for jobs, unless it has come back another way by then', async () => {
    await using plane = await twoWorkers();
    const body = { incarnation: 'i1', capacity: 1, waitMs: 20_000 };
    const hangUps = [new AbortController(), new AbortController()];
    const before = plane.clock.pending;
    const waiting = hangUps.map(({ signal }, index) =>
      plane.call('POST', '/peer/claim', { body, signal, caller: peer(id(String(index + 1))) }),
    );
    while (plane.clock.pending < before + 2) await turn();
    plane.clock.advance(1);
    await plane.packed('/peer/heartbeat', { incarnation: 'i1', held: [] }, peer(id('2')));
    for (const hangUp of hangUps) hangUp.abort();
    await Promise.all(waiting);
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [false, true]);
    await plane.packed('/peer/heartbeat', { incarnation: 'i1', held: [] }, peer(id('1')));
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [true, true]);
  });

  test('is gone when its leases ran out because it was silent, until it is heard of again', async () => {
    await using plane = await twoWorkers();
    const publish = (job: string) =>
      plane.call('POST', '/queue/publish', { body: { job_id: job, workflow: 'crawler' } });
    await publish('a');
    assert.equal((await claim(plane, id('1'))).body.jobs[0].job, 'a');
    plane.clock.advance(plane.core.periods.leaseMs + controlLimits.expiryGranularityMs);
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [false, true]);
    await plane.packed('/peer/heartbeat', { incarnation: 'i1', held: [] }, peer(id('1')));
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [true, true]);
  });

  test('is gone then too when its last word came after its last heartbeat', async () => {
    await using plane = await twoWorkers();
    const { leaseMs, heartbeatMs } = plane.core.periods;
    await plane.call('POST', '/queue/publish', { body: { job_id: 'a', workflow: 'crawler' } });
    await claim(plane, id('1'));
    plane.clock.advance(heartbeatMs - 1);
    await plane.packed('/peer/inbox', { job: 'a', epoch: 1, after: 0 }, peer(id('1')));
    plane.clock.advance(leaseMs - heartbeatMs + 1 + controlLimits.expiryGranularityMs);
    assert.deepEqual(column((await plane.call('GET', '/nodes')).body, 'alive'), [false, true]);
  });
});
