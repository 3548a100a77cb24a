import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import type { EngineState } from '../src/engine-host.ts';
import { embeddedHost } from '../src/engine-hosts/embedded.ts';
import { startWorker, type Worker, type WorkerOptions } from '../src/worker.ts';
import { logEntry, textsOf } from './fixtures/entry.ts';
import { FakeClock, settled } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';
import { ScriptEngine } from './fixtures/script-engine.ts';

describe('startWorker', () => {
  let cluster: MemoryCluster;
  let clock: FakeClock;
  let engine: ScriptEngine;
  let logger: KeptLogger;

  beforeEach(() => {
    cluster = new MemoryCluster();
    clock = new FakeClock();
    engine = new ScriptEngine();
    logger = new KeptLogger();
  });

  const start = (options: Partial<WorkerOptions> = {}): Promise<Worker> =>
    startWorker({
      peer: cluster,
      openHost: () => embeddedHost(engine),
      clock,
      random: fixedRandom,
      logger,
      ...options,
    });

  /** The last request for a path. */
  const said = (path: string): unknown => cluster.requests.findLast((request) => request.path === path)?.body;

  it('claims a job, runs it, and has its journal and result stored', async () => {
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    assert.equal(await run.effect('first'), true);
    await run.finish();
    await settled();
    assert.deepEqual(textsOf(cluster.entries('a')), ['first', 'end']);
    assert.deepEqual(cluster.stored('a').outcome, { type: 'completed', result: '"done"' });
    assert.deepEqual([worker.state.ended.completed, worker.state.held], [1, 0]);
  });

  it('holds no more jobs than it has slots', async () => {
    await using worker = await start({ slots: 2 });
    cluster.publish('a', 'b', 'c');
    await engine.begun(1);
    await settled();
    assert.deepEqual([worker.state.held, engine.runs.length], [2, 2]);
    await engine.runs[0]?.finish();
    await engine.begun(2);
  });

  it('frees a slot only when the finish was answered', async () => {
    await using worker = await start({ slots: 1 });
    cluster.publish('a', 'b');
    const run = await engine.begun(0);
    const gate = Promise.withResolvers<undefined>();
    cluster.fault = (path) => (path === '/peer/finish' ? gate.promise : undefined);
    const finished = run.finish();
    await settled();
    assert.deepEqual([worker.state.held, engine.runs.length], [1, 1]);
    gate.resolve(undefined);
    await finished;
    await engine.begun(1);
  });

  it('shows the engines that its host chooses from', async () => {
    const engines: readonly EngineState[] = [
      { url: 'http://engine:1', state: 'healthy', ejectedForMs: 0, runs: 1, runsMax: 4, lastError: undefined },
    ];
    await using pooled = await start({ openHost: () => Object.assign(embeddedHost(engine), { engines }) });
    assert.deepEqual(pooled.state.engines, engines);
    await using alone = await start();
    assert.deepEqual(alone.state.engines, []);
  });

  it('goes on from the journal of another holder', async () => {
    await using first = await start();
    cluster.publish('a');
    const before = await engine.begun(0);
    await before.effect('one');
    cluster.expire('a');
    await clock.advance(500);
    const after = await engine.begun(1);
    assert.deepEqual(textsOf(after.request.journal), ['one']);
    await after.effect('two');
    await after.finish();
    await settled();
    assert.deepEqual(textsOf(cluster.entries('a')), ['one', 'two', 'end']);
    assert.deepEqual([first.state.resumed, first.state.ended.lost, before.wish], [1, 1, 'drop']);
  });

  it('has what a former holder writes late refused, and drops its run', async () => {
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    cluster.expire('a');
    await assert.rejects(run.effect('late'), { code: 'STALE_LEASE' });
    await settled();
    assert.equal(run.wish, 'drop');
    assert.equal(worker.state.ended.lost, 1);
    assert.deepEqual(textsOf(cluster.entries('a')), []);
  });

  it('keeps its jobs through a restart of the control plane: effects wait, nothing is dropped', async () => {
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    await run.effect('before');
    cluster.fault = () => {
      throw mvmError('CONNECTION_LOST', 'restarting');
    };
    await clock.advance(4_000);
    const effect = run.effect('during');
    await clock.advance(4_000);
    cluster.isJoined = false;
    cluster.fault = () => undefined;
    await clock.advance(4_000);
    assert.equal(await effect, true);
    await run.finish();
    await settled();
    assert.deepEqual(textsOf(cluster.entries('a')), ['before', 'during', 'end']);
    assert.deepEqual([worker.state.ended.completed, worker.state.claimed], [1, 1]);
  });

  it('keeps a finish whose answer got lost, though a heartbeat says that the lease is over', async () => {
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    let faults = 1;
    cluster.fault = (path) => {
      if (path !== '/peer/finish') return undefined;
      faults -= 1;
      return faults >= 0 ? mvmError('UNAVAILABLE', 'after it was applied') : undefined;
    };
    const finished = run.finish();
    await clock.advance(3_000);
    await finished;
    await settled();
    assert.deepEqual([worker.state.ended.completed, cluster.stored('a').finishes], [1, 1]);
  });

  it('cancels a run when the control plane asks for it, once', async () => {
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    cluster.stored('a').cancelReason = 'enough';
    await clock.advance(2_000);
    assert.equal(run.cancelReason, 'enough');
    assert.deepEqual(cluster.stored('a').outcome, { type: 'cancelled' });
    assert.equal(worker.state.ended.cancelled, 1);
  });

  it('fails a job whose journal is full, with the reason', async () => {
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    cluster.fault = (path) => {
      if (path === '/peer/append') throw mvmError('LIMIT_EXCEEDED', 'the journal is full');
      return undefined;
    };
    await assert.rejects(run.effect('x'), { code: 'LIMIT_EXCEEDED' });
    await settled();
    const { outcome } = cluster.stored('a');
    assert.equal(outcome?.type === 'failed' && outcome.error.code, 'LIMIT_EXCEEDED');
    assert.equal(worker.state.ended.failed, 1);
  });

  it('fails a job whose end is refused as malformed, with the reason, and no other one', async () => {
    await using worker = await start();
    cluster.publish('a', 'b');
    const [run, other] = [await engine.begun(0), await engine.begun(1)];
    const refusals = [mvmError('INVALID_ARGUMENT', 'both of them'), mvmError('INVALID_ARGUMENT', 'a result is text')];
    cluster.fault = (path) => {
      const refusal = path === '/peer/finish' ? refusals.shift() : undefined;
      if (refusal) throw refusal;
      return undefined;
    };
    const refused = assert.rejects(run.finish(), { code: 'INVALID_ARGUMENT', message: 'a result is text' });
    await Promise.all([refused, other.finish()]);
    await settled();
    const { outcome } = cluster.stored('a');
    assert.deepEqual(outcome, {
      type: 'failed',
      error: { code: 'INVALID_ARGUMENT', message: 'a result is text' },
      retryable: false,
    });
    assert.deepEqual([worker.state.ended.failed, worker.state.ended.completed], [1, 1]);
  });

  it('fails a job whose stored journal is damaged', async () => {
    cluster.publish('a');
    const bytes = new Uint8Array([1]);
    cluster.stored('a').batches.push({ firstSeq: 0, count: 1, bytes, hash: new Uint8Array(32) });
    await using worker = await start();
    await settled();
    const { outcome } = cluster.stored('a');
    assert.equal(outcome?.type === 'failed' && outcome.error.code, 'JOURNAL_CORRUPT');
    assert.equal(worker.state.ended.failed, 1);
  });

  it('leaves a job to its lease when the engine has a fault, and works on', async () => {
    await using worker = await start({ slots: 1 });
    cluster.publish('a', 'b');
    (await engine.begun(0)).fail(new Error('a bug'));
    const next = await engine.begun(1);
    await next.finish();
    await clock.advance(600);
    assert.equal(cluster.stored('a').outcome, undefined);
    assert.deepEqual([worker.state.ended.abandoned, worker.state.ended.completed], [1, 1]);
    const held = said('/peer/heartbeat');
    assert.deepEqual(held, { incarnation: '07'.repeat(16), held: [] });
    await worker.drain();
    assert.deepEqual(said('/peer/leave'), { incarnation: '07'.repeat(16), empty: false });
  });

  it('drains: claims nothing more, finishes what ends in time, gives the rest back', async () => {
    const worker = await start({ slots: 3 });
    cluster.publish('a', 'b');
    const [quick, slow] = [await engine.begun(0), await engine.begun(1)];
    const drained = worker.drain({ graceMs: 5_000 });
    cluster.publish('c');
    await clock.advance(1_000);
    await quick.finish();
    await clock.advance(3_000);
    assert.equal(slow.wish, 'run');
    await clock.advance(1_000);
    await drained;
    assert.deepEqual(await worker.closed, { type: 'drained' });
    assert.equal(slow.wish, 'release');
    assert.deepEqual([cluster.stored('b').holder, cluster.stored('b').outcome], [undefined, undefined]);
    assert.equal(cluster.stored('c').epoch, 0);
    assert.deepEqual([engine.isStopped, cluster.isClosed, clock.pending], [true, true, 0]);
    assert.deepEqual(said('/peer/leave'), { incarnation: '07'.repeat(16), empty: true });
  });

  it('drains at once when it holds nothing', async () => {
    const worker = await start();
    await worker.drain();
    assert.deepEqual(await worker.closed, { type: 'drained' });
  });

  it('ends at once when it is stopped, also in the middle of a drain', async () => {
    const worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    void worker.drain({ graceMs: 60_000 });
    await settled();
    await worker.stop();
    assert.deepEqual(await worker.closed, { type: 'stopped' });
    assert.deepEqual([run.wish, clock.pending, cluster.isClosed], ['drop', 0, true]);
    assert.deepEqual(said('/peer/leave'), { incarnation: '07'.repeat(16), empty: false });
  });

  it('waits for a control plane that can not be reached, and says so now and then', async () => {
    cluster.fault = () => {
      throw mvmError('CONNECTION_LOST', 'no route');
    };
    const starting = start();
    await clock.advance(12_000);
    assert.equal(logger.lines.filter(({ level }) => level === 'warn').length, 3);
    cluster.fault = () => undefined;
    await clock.advance(2_000);
    await (await starting).stop();
  });

  it('is refused with a wrong token', async () => {
    cluster.tokenWanted = 'right';
    await assert.rejects(start({ token: 'wrong' }), { code: 'UNAUTHENTICATED' });
    assert.equal(cluster.isClosed, true);
  });

  it('ends when it is turned away later', async () => {
    const worker = await start({ token: 'old' });
    cluster.tokenWanted = 'new';
    cluster.isJoined = false;
    cluster.publish('a');
    await clock.advance(60_000);
    const end = await worker.closed;
    assert.equal(end.type === 'refused' && end.error.code, 'UNAUTHENTICATED');
  });

  it('works for the cluster of its ticket alone', async () => {
    await assert.rejects(start({ cluster: 'c2' }), {
      code: 'TICKET_OF_ANOTHER_CLUSTER',
      message: /for cluster c2.* is of c1/,
    });
    assert.equal(cluster.isClosed, true);
    cluster = new MemoryCluster();
    await (await start({ cluster: 'c1' })).stop();
  });

  it('says that a publisher runs no jobs, instead of asking for some for ever', async () => {
    cluster.role = 'publisher';
    await assert.rejects(start(), { code: 'FORBIDDEN', message: /a worker joins by a ticket of the role worker/ });
  });

  it('gives up joining after the time that it was given, and says where it looked', async () => {
    const noRoute = Promise.withResolvers<MvmError>();
    cluster.fault = () => noRoute.promise;
    cluster.unreachable = mvmError('CONTROL_PLANE_UNREACHABLE', "can't reach any of these addresses: 192.0.2.1:4000");
    const starting = start({ joinMs: 30_000 });
    const rejected = assert.rejects(starting, {
      code: 'CONTROL_PLANE_UNREACHABLE',
      message: /has not joined within 30 s: can't reach any of these addresses: 192\.0\.2\.1:4000/,
    });
    await settled();
    await clock.advance(5_000);
    assert.equal(logger.lines.filter(({ level }) => level === 'warn').length, 1);
    await clock.advance(25_000);
    noRoute.resolve(mvmError('CONNECTION_LOST', 'no route'));
    await rejected;
    assert.equal(clock.pending, 0);
  });

  it('gives up joining when it is told to', async () => {
    cluster.fault = () => {
      throw mvmError('CONNECTION_LOST', 'no route');
    };
    const stop = new AbortController();
    const starting = start({ signal: stop.signal });
    await settled();
    stop.abort();
    await assert.rejects(starting, { code: 'CANCELLED' });
    assert.equal(clock.pending, 0);
  });

  it('ships what the engine does not wait for in the same request as what follows', async () => {
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    void run.ports.sink.append([logEntry('answer')]);
    await run.effect('next');
    const appends = cluster.requests.filter(({ path }) => path === '/peer/append');
    assert.equal(appends.length, 1);
    assert.equal(worker.state.held, 1);
  });
});
