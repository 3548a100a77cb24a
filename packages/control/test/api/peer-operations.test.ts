import {
  chainHash,
  chainStart,
  encodeEntry,
  hasHead,
  headSeal,
  isSnapshotOf,
  journalAnswerSchema,
  limits,
  pack,
  parseAs,
  peerProtocol,
  peerProtocols,
  snapshotSeal,
  type JournalAnswer,
  type JournalBatch,
} from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { firstBatch, moduleFile, peer, TestPlane } from './test-plane.ts';

const n1 = peer('1'.repeat(64));
const n2 = peer('2'.repeat(64));
const token = 'a-join-token';

const joinedPlane = async (): Promise<TestPlane> => {
  const plane = await TestPlane.open();
  await plane.core.tickets.keepOwn(token);
  for (const caller of [n1, n2]) {
    await plane.packed('/peer/join', { protocol: peerProtocol, token, incarnation: 'i1', name: 'bench' }, caller);
  }
  await plane.deploy();
  return plane;
};

const publish = (plane: TestPlane, id: string): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body: { job_id: id, workflow: 'crawler' } });

const claim = (plane: TestPlane, caller = n1, more: object = {}): ReturnType<TestPlane['call']> =>
  plane.packed('/peer/claim', { incarnation: 'i1', capacity: 1, ...more }, caller);

suite('join', () => {
  test('takes a token the first time and the proven node id later, also after a restart', async () => {
    await using plane = await TestPlane.open();
    await plane.core.tickets.keepOwn(token);
    const join = (body: object): ReturnType<TestPlane['call']> =>
      plane.packed('/peer/join', { protocol: peerProtocol, incarnation: 'i1', ...body }, n1);
    for (const wrong of [{}, { token: 'another' }]) {
      const refused = await join(wrong);
      assert.deepEqual([refused.status, refused.body.error.code], [401, 'UNAUTHENTICATED']);
    }
    const { leaseMs, heartbeatMs, idleHeartbeatMs } = plane.core.periods;
    const welcome = await join({ token });
    assert.deepEqual(welcome.body, {
      node: '1'.repeat(64),
      cluster: plane.core.cluster,
      role: 'worker',
      protocol: peerProtocol,
      leaseMs,
      heartbeatMs,
      idleHeartbeatMs,
    });
    const { cluster } = plane.core;
    await plane.restart();
    assert.deepEqual((await join({})).body.cluster, cluster);
    const [node] = (await plane.call('GET', '/nodes')).body;
    assert.deepEqual([node.node, node.name, node.jobs], ['1'.repeat(64), '1'.repeat(10), 0]);
  });

  test('agrees on the newest version that both speak, and refuses a node when there is none', async () => {
    await using plane = await TestPlane.open();
    await plane.core.tickets.keepOwn(token);
    const join = (protocol: number, protocolNewest?: number): ReturnType<TestPlane['call']> =>
      plane.packed('/peer/join', { protocol, protocolNewest, incarnation: 'i1', token }, n1);
    const { oldest, newest } = peerProtocols;
    assert.equal((await join(oldest)).body.protocol, oldest);
    assert.equal((await join(oldest, newest)).body.protocol, newest);
    assert.equal((await join(newest, newest + 7)).body.protocol, newest);
    const refused = await join(newest + 1, newest + 2);
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'VERSION_UNSUPPORTED']);
    assert.match(String(refused.body.error.message), /upgrade the control plane$/);
    assert.deepEqual(refused.body.error.details, {
      control_plane: { oldest, newest },
      node: { oldest: newest + 1, newest: newest + 2 },
    });
  });

  test('refuses an operator, who has no node id', async () => {
    await using plane = await TestPlane.open();
    const operator = await plane.packed('/peer/join', { protocol: peerProtocol, incarnation: 'i1' });
    assert.deepEqual([operator.status, operator.body.error.code], [403, 'FORBIDDEN']);
  });

  test('never unpacks more than a join needs, as anybody may send one', async () => {
    await using plane = await TestPlane.open();
    const bomb = zstdCompressSync(pack({ protocol: peerProtocol, incarnation: 'i1', rest: Array(100_000).fill(0) }));
    const headers = { 'content-type': 'application/msgpack', 'content-encoding': 'zstd' };
    const refused = await plane.call('POST', '/peer/join', { body: bomb, headers, caller: n1 });
    assert.deepEqual([bomb.length < 1_000, refused.status], [true, 413]);
  });
});

suite('leave', () => {
  const seen = async (plane: TestPlane): Promise<readonly unknown[]> => {
    const [node] = (await plane.call('GET', '/nodes')).body;
    const stats = await plane.call('GET', '/queue/stats');
    const why = await plane.call('GET', '/queue/why/a');
    return [Boolean(node.alive), Number(stats.body.workers), JSON.stringify(why.body)];
  };

  test('ends a worker’s presence at once, but not that of the process that came after it', async () => {
    await using plane = await joinedPlane();
    await claim(plane);
    await publish(plane, 'a');
    const leave = (incarnation: string): ReturnType<TestPlane['call']> =>
      plane.packed('/peer/leave', { incarnation }, n1);
    assert.equal((await leave('i0')).status, 200);
    const [isAlive, workers] = await seen(plane);
    assert.deepEqual([isAlive, workers], [true, 2]);
    assert.equal((await leave('i1')).status, 200);
    const [isStillAlive, left, why] = await seen(plane);
    assert.deepEqual([isStillAlive, left], [false, 1]);
    assert.match(String(why), /no worker/i);
  });

  test('gives others at once what the process had claimed and never heard of, as if nobody had held it', async () => {
    await using plane = await joinedPlane();
    await publish(plane, 'a');
    await publish(plane, 'b');
    await claim(plane);
    const left = async (body: object): Promise<readonly unknown[]> => {
      await plane.packed('/peer/leave', body, n1);
      const { status, lost_leases: lost } = (await plane.call('GET', '/queue/status/a')).body;
      return [String(status), Number(lost)];
    };
    assert.deepEqual(await left({ incarnation: 'i1' }), ['claimed', 0]);
    assert.deepEqual(await left({ incarnation: 'i0', empty: true }), ['claimed', 0]);
    assert.deepEqual(await left({ incarnation: 'i1', empty: true }), ['pending', 0]);
    assert.equal((await claim(plane, n2)).body.jobs[0].job, 'a');
  });
});

suite('heartbeat', () => {
  test('is refused as a whole when it names too many leases, before they are looked at', async () => {
    await using plane = await joinedPlane();
    const held = Array(limits.heartbeatLeasesMax + 1).fill(null);
    const refused = await plane.packed('/peer/heartbeat', { incarnation: 'i1', held }, n1);
    assert.deepEqual([refused.status, refused.body.error.details.issues.length], [400, 1]);
  });
});

suite('claim', () => {
  test('waits for a job and is woken by its publish', async () => {
    await using plane = await joinedPlane();
    const waiting = claim(plane, n1, { waitMs: 20_000 });
    await turn();
    await publish(plane, 'a');
    const { jobs, leaseMs } = (await waiting).body;
    assert.equal(leaseMs, plane.core.periods.leaseMs);
    assert.deepEqual([jobs[0].job, jobs[0].epoch, jobs[0].workflow, jobs[0].input], ['a', 1, 'main', 'null']);
    assert.equal((await plane.call('GET', '/queue/stats')).body.workers, 2);
    assert.equal((await plane.call('GET', '/nodes')).body[0].jobs, 1);
  });

  test('leaves a job alone when the request was given up before', async () => {
    await using plane = await joinedPlane();
    const gone = new AbortController();
    const body = { worker: 'w', incarnation: 'i1', capacity: 1, waitMs: 20_000 };
    const before = plane.clock.pending;
    const waiting = plane.call('POST', '/peer/claim', { body, signal: gone.signal });
    while (plane.clock.pending === before) await turn();
    gone.abort();
    assert.deepEqual((await waiting).body.jobs, []);
    await publish(plane, 'a');
    assert.equal((await plane.call('GET', '/queue/status/a')).body.status, 'pending');
  });

  test('gives an operator jobs for the worker that it names, and demands that name', async () => {
    await using plane = await joinedPlane();
    const nameless = await plane.packed('/peer/claim', { incarnation: 'i1', capacity: 1 });
    assert.deepEqual([nameless.status, nameless.body.error.code], [400, 'INVALID_ARGUMENT']);
    await publish(plane, 'a');
    await plane.packed('/peer/claim', { worker: 'bench', incarnation: 'i1', capacity: 1 });
    assert.equal((await plane.call('GET', '/queue/status/a')).body.claimed_by, 'bench');
  });

  test('gives as many jobs as an answer carries in time, and the others to whoever waits next', async () => {
    await using plane = await joinedPlane();
    const waiting = [n1, n2].map((caller) => claim(plane, caller, { capacity: 100, waitMs: 20_000 }));
    await turn();
    const input = 'x'.repeat(limits.inputBytesMax - 2);
    const jobs = Array.from({ length: 8 }, (_, index) => ({ job_id: `j${index}`, workflow: 'crawler', input }));
    await plane.call('POST', '/queue/publish-many', { body: { jobs } });
    const claimed = await Promise.all(waiting);
    assert.deepEqual(
      claimed.map(({ body }): unknown => body.jobs.length),
      [4, 4],
    );
  });

  test('never gives a worker a payload job', async () => {
    await using plane = await joinedPlane();
    await plane.call('POST', '/queue/publish', { body: { payload: 1 } });
    assert.deepEqual((await claim(plane)).body.jobs, []);
  });
});

suite('leases over the API', () => {
  test('a job whose holder falls silent goes to another worker with its journal, and the first is refused', async () => {
    await using plane = await joinedPlane();
    await publish(plane, 'a');
    await claim(plane, n1);
    const batch = firstBatch('a', [{ kind: 'intents', intents: [] }]);
    const append = { job: 'a', epoch: 1, attempt: 1, ...batch };
    assert.deepEqual((await plane.packed('/peer/append', { appends: [append] }, n1)).body.results, [{ ok: true }]);
    const before = plane.core.feed.latest;
    plane.clock.advance(3_000);
    await plane.changed(before);
    const [again] = (await claim(plane, n2)).body.jobs;
    assert.deepEqual([again.job, again.epoch, again.journalEntries], ['a', 2, 1]);
    const journal = await plane.call('GET', '/peer/journal/a?epoch=2', {
      caller: n2,
      headers: { accept: 'application/msgpack' },
    });
    assert.deepEqual([journal.body.attempt, new Uint8Array(journal.body.batches[0].bytes)], [1, batch.bytes]);
    const stale = await plane.call('GET', '/peer/journal/a?epoch=1', { caller: n1 });
    assert.deepEqual([stale.status, stale.body.error.code], [409, 'STALE_LEASE']);
    const finish = { job: 'a', epoch: 1, attempt: 1, outcome: { type: 'completed', result: '1' } };
    const refused = await plane.packed('/peer/finish', { finishes: [finish] }, n1);
    assert.equal(refused.body.results[0].error.code, 'STALE_LEASE');
    const lost = await plane.packed('/peer/heartbeat', { incarnation: 'i1', held: [{ job: 'a', epoch: 1 }] }, n1);
    assert.deepEqual(lost.body.lost, [{ job: 'a', epoch: 1 }]);
    await plane.packed('/peer/finish', { finishes: [{ ...finish, epoch: 2 }] }, n2);
    const { status, result, resumes, lost_leases } = (await plane.call('GET', '/queue/status/a')).body;
    assert.deepEqual([status, result, resumes, lost_leases], ['completed', 1, 1, 1]);
  });

  test('its next holder may ask for the tail of the journal alone, from the entry that a snapshot with a head ends with', async () => {
    await using plane = await joinedPlane();
    await publish(plane, 'a');
    await claim(plane, n1);
    const lease = { job: 'a', epoch: 1, attempt: 1 };
    const batches: JournalBatch[] = [];
    for (const firstSeq of [0, 1, 2, 3]) {
      const batch = { firstSeq, count: 1, bytes: encodeEntry({ kind: 'intents', intents: [] }) };
      batches.push({ ...batch, hash: chainHash(batches.at(-1)?.hash ?? chainStart('a', 1), batch) });
    }
    await plane.packed('/peer/append', { appends: batches.map((batch) => ({ ...lease, ...batch })) }, n1);
    const keep = (head?: Uint8Array): Promise<unknown> => {
      const state = { entries: 3, runtime: 'r', imageHash: 'ab'.repeat(32), bytes: new Uint8Array(1) };
      const seal = snapshotSeal(batches[2]?.hash ?? new Uint8Array(), state);
      const snapshot = { ...state, seal, ...(head && { head, headSeal: headSeal(seal, head) }) };
      return plane.packed('/peer/snapshot', { ...lease, snapshot }, n1);
    };
    const ask = async (search: string): Promise<JournalAnswer> => {
      const headers = { accept: 'application/msgpack' };
      const { body } = await plane.call('GET', `/peer/journal/a?epoch=1${search}`, { caller: n1, headers });
      return parseAs(journalAnswerSchema, body, 'the answer');
    };
    const numbers = ({ batches: sent }: JournalAnswer): readonly number[] => sent.map(({ firstSeq }) => firstSeq);

    await keep();
    assert.deepEqual(numbers(await ask('&tail=1')), [0, 1, 2, 3], 'without a head all is needed');
    await keep(new Uint8Array([7]));
    const tail = await ask('&tail=1');
    assert.deepEqual([numbers(tail), tail.previous], [[2, 3], batches[1]?.hash]);
    assert.ok(tail.snapshot && hasHead(tail.snapshot) && isSnapshotOf(tail.snapshot, tail.batches));
    const whole = await ask('');
    assert.deepEqual([numbers(whole), whole.previous], [[0, 1, 2, 3], undefined]);
    assert.deepEqual(whole.snapshot, tail.snapshot);
  });

  test('a lease survives a restart of the control plane when its holder comes back in time', async () => {
    await using plane = await joinedPlane();
    await publish(plane, 'a');
    await claim(plane, n1);
    await plane.restart();
    plane.clock.advance(plane.core.periods.startGraceMs - 1);
    const beat = { incarnation: 'i1', held: [{ job: 'a', epoch: 1 }] };
    assert.deepEqual((await plane.packed('/peer/heartbeat', beat, n1)).body, { lost: [], cancel: [] });
    plane.clock.advance(1_000);
    const finish = { job: 'a', epoch: 1, attempt: 1, outcome: { type: 'completed', result: '1' } };
    assert.deepEqual((await plane.packed('/peer/finish', { finishes: [finish, finish] }, n1)).body.results, [
      { ok: true },
      { ok: true },
    ]);
  });

  test('a cancellation reaches the holder by its heartbeat', async () => {
    await using plane = await joinedPlane();
    await publish(plane, 'a');
    await claim(plane, n1);
    assert.equal((await plane.call('POST', '/queue/cancel/a', { body: { reason: 'enough' } })).body.status, 'claimed');
    const beat = await plane.packed('/peer/heartbeat', { incarnation: 'i1', held: [{ job: 'a', epoch: 1 }] }, n1);
    assert.deepEqual(beat.body.cancel, [{ job: 'a', epoch: 1, reason: 'enough' }]);
    await plane.packed(
      '/peer/finish',
      { finishes: [{ job: 'a', epoch: 1, attempt: 1, outcome: { type: 'cancelled' } }] },
      n1,
    );
    assert.equal((await plane.call('GET', '/queue/status/a')).body.status, 'cancelled');
  });

  test('a result that is not JSON text is refused', async () => {
    await using plane = await joinedPlane();
    const finish = { job: 'a', epoch: 1, attempt: 1, outcome: { type: 'completed', result: '{' } };
    assert.equal((await plane.packed('/peer/finish', { finishes: [finish] }, n1)).body.error.code, 'INVALID_ARGUMENT');
  });
});

suite('damage', () => {
  test('a journal that was changed on disk is never shown or replayed as if it were whole', async () => {
    await using plane = await joinedPlane();
    await publish(plane, 'a');
    await claim(plane, n1);
    const append = { job: 'a', epoch: 1, attempt: 1, ...firstBatch('a', [{ kind: 'intents', intents: [] }]) };
    await plane.packed('/peer/append', { appends: [append] }, n1);
    damage(plane, `UPDATE journal SET bytes = x'920290'`);
    const shown = await plane.call('GET', '/queue/journal/a');
    assert.deepEqual([shown.status, shown.body.error.code], [422, 'JOURNAL_CORRUPT']);
  });

  test('an input that was changed on disk is not run', async () => {
    await using plane = await joinedPlane();
    await publish(plane, 'a');
    damage(plane, `UPDATE content SET input = '"other"'`);
    assert.deepEqual((await claim(plane)).body.jobs, []);
    const { status, error, payload } = (await plane.call('GET', '/queue/status/a')).body;
    assert.deepEqual([status, error.code, payload], ['failed', 'JOURNAL_CORRUPT', null]);
  });
});

suite('modules for workers', () => {
  test('come as the bytes that were deployed', async () => {
    await using plane = await joinedPlane();
    const [{ hash }] = (await plane.call('GET', '/modules')).body;
    const file = await plane.call('GET', `/peer/module/${hash}`, { caller: n1 });
    assert.deepEqual([file.status, new Uint8Array(file.body)], [200, moduleFile()]);
    assert.equal((await plane.call('GET', '/peer/module/00', { caller: n1 })).body.error.code, 'MODULE_NOT_FOUND');
  });
});

const damage = (plane: TestPlane, sql: string): void => {
  const db = new DatabaseSync(`${plane.folder.path}/control.db`);
  db.exec(sql);
  db.close();
};
