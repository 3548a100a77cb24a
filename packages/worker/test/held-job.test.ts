import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { mvmError } from '@mvm-ci/protocol';
import type { EngineHost, HostPorts, HostRun, HostRunEnd } from '../src/engine-host.ts';
import { workerLimits } from '../src/limits.ts';
import { startWorker, type Worker } from '../src/worker.ts';
import { textsOf } from './fixtures/entry.ts';
import { FakeClock, settled } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';
import { ScriptEngine } from './fixtures/script-engine.ts';
import { ScriptHost } from './fixtures/script-host.ts';

/** An engine beside the store that has gone silent: it opens no journal here, and says nothing. A dropped run ends. */
class SilentHost implements EngineHost {
  readonly obstacle: undefined;
  readonly wishes: string[] = [];
  ports: HostPorts | undefined;

  run(_: unknown, ports: HostPorts): HostRun {
    this.ports = ports;
    const { promise, resolve } = Promise.withResolvers<HostRunEnd>();
    return {
      ended: promise,
      cancel: () => this.wishes.push('cancel'),
      release: () => this.wishes.push('release'),
      drop: () => {
        this.wishes.push('drop');
        resolve({ type: 'dropped' });
      },
    };
  }

  async stop(): Promise<void> {
    // Nothing is left.
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

const lost = mvmError('CONNECTION_LOST', 'the engine is gone');

describe('HeldJob, when its engine is lost', () => {
  let cluster: MemoryCluster;
  let clock: FakeClock;
  let engine: ScriptEngine;
  let host: ScriptHost;
  let logger: KeptLogger;

  beforeEach(() => {
    cluster = new MemoryCluster();
    clock = new FakeClock();
    engine = new ScriptEngine();
    host = new ScriptHost(engine);
    logger = new KeptLogger();
  });

  const start = (slots = 1): Promise<Worker> =>
    startWorker({ peer: cluster, openHost: () => host, clock, random: fixedRandom, logger, slots });

  it('goes on from the stored journal, under the same lease', async () => {
    await using worker = await start();
    cluster.publish('a');
    await (await engine.begun(0)).effect('one');
    host.interrupt(0, lost);
    await clock.advance(100);
    const second = await engine.begun(1);
    assert.deepEqual(textsOf(second.request.journal), ['one']);
    await second.effect('two');
    await second.finish();
    await settled();
    assert.deepEqual(textsOf(cluster.entries('a')), ['one', 'two', 'end']);
    assert.deepEqual([cluster.stored('a').epoch, worker.state.claimed, worker.state.ended.completed], [1, 1, 1]);
  });

  it('waits until what was sent is answered, and drops what was not sent', async () => {
    await using worker = await start();
    cluster.publish('a');
    const first = await engine.begun(0);
    const gate = Promise.withResolvers<undefined>();
    cluster.fault = (path) => (path === '/peer/append' ? gate.promise : undefined);
    const sent = first.effect('sent');
    await settled();
    const unsent = assert.rejects(first.effect('unsent'), { code: 'CONNECTION_LOST' });
    host.interrupt(0, lost);
    await clock.advance(1_000);
    assert.equal(engine.runs.length, 1);
    await unsent;
    gate.resolve(undefined);
    await sent;
    await clock.advance(1_000);
    assert.deepEqual(textsOf((await engine.begun(1)).request.journal), ['sent']);
    assert.equal(worker.state.held, 1);
  });

  it('does not mistake a journal that comes too late, for a run that is gone, for that of the run that goes on', async () => {
    await using worker = await start();
    cluster.publish('a');
    await (await engine.begun(0)).effect('one');
    const late = Promise.withResolvers<undefined>();
    cluster.fault = (path) => (path.startsWith('/peer/journal') ? late.promise : undefined);
    host.interrupt(0, lost);
    await clock.advance(100);
    assert.equal(host.runs, 2);
    const gate = Promise.withResolvers<undefined>();
    cluster.fault = (path) => (path === '/peer/append' ? gate.promise : undefined);
    host.interrupt(1, lost);
    await clock.advance(500);
    const sent = (await engine.begun(1)).effect('two');
    await settled();
    late.resolve(undefined);
    await settled();
    host.interrupt(2, lost);
    await clock.advance(1_000);
    assert.equal(host.runs, 3, 'a run began before all that was sent was answered');
    gate.resolve(undefined);
    await sent;
    await clock.advance(1_000);
    assert.deepEqual(textsOf((await engine.begun(2)).request.journal), ['one', 'two']);
    assert.equal(worker.state.held, 1);
  });

  it('counts a finish that was on its way', async () => {
    await using worker = await start();
    cluster.publish('a');
    const first = await engine.begun(0);
    const gate = Promise.withResolvers<undefined>();
    cluster.fault = (path) => (path === '/peer/finish' ? gate.promise : undefined);
    const finished = first.finish();
    await settled();
    host.interrupt(0, lost);
    gate.resolve(undefined);
    await finished;
    await clock.advance(1_000);
    assert.deepEqual([worker.state.ended.completed, engine.runs.length, cluster.stored('a').finishes], [1, 1, 1]);
  });

  it('hears that what was on its way is refused', async () => {
    await using worker = await start();
    cluster.publish('a');
    const first = await engine.begun(0);
    const gate = Promise.withResolvers<undefined>();
    cluster.fault = (path) => (path === '/peer/append' ? gate.promise : undefined);
    const refused = assert.rejects(first.effect('late'), { code: 'STALE_LEASE' });
    await settled();
    host.interrupt(0, lost);
    cluster.stored('a').epoch += 1;
    gate.resolve(undefined);
    await refused;
    await settled();
    assert.deepEqual([worker.state.ended.lost, engine.runs.length], [1, 1]);
  });

  it('gives the job back between two runs when it is asked to', async () => {
    const worker = await start();
    cluster.publish('a');
    await (await engine.begun(0)).effect('one');
    host.interrupt(0, lost);
    await settled();
    const drained = worker.drain({ graceMs: 0 });
    await clock.advance(10);
    await drained;
    assert.deepEqual([worker.state.ended.released, engine.runs.length], [1, 1]);
    assert.deepEqual(textsOf(cluster.entries('a')), ['one']);
  });

  it('cancels the job between two runs', async () => {
    host.refusal = mvmError('ENGINE_BUSY', 'all places are taken');
    await using worker = await start();
    cluster.publish('a');
    await clock.advance(3_000);
    cluster.stored('a').cancelReason = 'enough';
    await clock.advance(600);
    assert.deepEqual(cluster.stored('a').outcome, { type: 'cancelled' });
    assert.equal(worker.state.ended.cancelled, 1);
  });

  it('keeps the lease while it looks for an engine, and gives the job back when there is none for long', async () => {
    host.refusal = mvmError('ENGINE_BUSY', 'all places are taken');
    await using worker = await start();
    cluster.publish('a');
    await clock.advance(workerLimits.engineAbsenceMsMax - 5_000);
    assert.deepEqual([worker.state.held, cluster.stored('a').epoch], [1, 1]);
    assert.ok(host.runs > 10);
    await clock.advance(10_000);
    assert.equal(worker.state.ended.released, 1);
    assert.ok(logger.lines.some(({ text }) => text === 'a job finds no engine: it is given back'));
  });

  it('does not give back a job that gets on, however often its engine is lost', async () => {
    await using worker = await start();
    cluster.publish('a');
    const rounds = 50;
    for (let round = 0; round < rounds; round += 1) {
      await (await engine.begun(round)).effect(`${round}`);
      host.interrupt(round, lost);
      await clock.advance(workerLimits.retryMsMax);
    }
    await (await engine.begun(rounds)).finish();
    await settled();
    assert.deepEqual([worker.state.ended.completed, cluster.stored('a').epoch], [1, 1]);
    assert.equal(cluster.entries('a').length, rounds + 1);
  });

  it('leaves a job to its lease that may be what ends the engines', async () => {
    await using worker = await start();
    cluster.publish('a');
    for (let round = 0; round < workerLimits.engineLossesMax; round += 1) {
      await engine.begun(round);
      host.interrupt(round, lost, true);
      await clock.advance(workerLimits.retryMsMax);
    }
    assert.deepEqual([worker.state.ended.abandoned, engine.runs.length], [1, workerLimits.engineLossesMax]);
    assert.equal(cluster.stored('a').outcome, undefined);
  });

  it('suspects no job that gets on', async () => {
    await using worker = await start();
    cluster.publish('a');
    for (let round = 0; round < 2 * workerLimits.engineLossesMax; round += 1) {
      await (await engine.begun(round)).effect(`${round}`);
      host.interrupt(round, lost, true);
      await clock.advance(workerLimits.retryMsMax);
    }
    assert.deepEqual([worker.state.ended.abandoned, worker.state.held], [0, 1]);
  });

  it('lets go of a lost job while it waits for an answer', async () => {
    await using worker = await start();
    cluster.publish('a');
    const first = await engine.begun(0);
    cluster.fault = (path) => (path === '/peer/append' ? new Promise(() => undefined) : undefined);
    const refused = assert.rejects(first.effect('never answered'), { code: 'STALE_LEASE' });
    await settled();
    host.interrupt(0, lost);
    cluster.stored('a').epoch += 1;
    await clock.advance(600);
    await refused;
    assert.deepEqual([worker.state.ended.lost, worker.state.held], [1, 0]);
  });

  it('gives a job back at once that was to be handed over when its engine is lost: nothing is in flight any more', async () => {
    host.isBusy = true;
    await using worker = await start();
    cluster.publish('a');
    const run = await engine.begun(0);
    await run.effect('one');
    void worker.drain({ graceMs: 0 });
    await clock.advance(1);
    assert.deepEqual([run.wish, worker.state.held], ['run', 1]);
    host.interrupt(0, lost);
    await settled();
    assert.deepEqual([worker.state.phase, clock.pending], ['stopped', 0]);
    assert.deepEqual([worker.state.ended.released, engine.runs.length], [1, 1]);
    assert.deepEqual([cluster.stored('a').holder, textsOf(cluster.entries('a'))], [undefined, ['one']]);
  });

  it('gives a job back without an engine that is silent, once its last word on the lease has run out', async () => {
    const silent = new SilentHost();
    const worker = await startWorker({ peer: cluster, openHost: () => silent, clock, random: fixedRandom, logger });
    cluster.publish('a');
    await settled();
    await clock.advance(10_000);
    const grantedMs = silent.ports?.leaseLeftMs() ?? 0;
    const drained = worker.drain({ graceMs: 0 });
    await clock.advance(Math.max(grantedMs, workerLimits.engineReleaseMsMax) - 1);
    assert.deepEqual([silent.wishes, worker.state.ended.released], [['release'], 0]);
    await clock.advance(1);
    await drained;
    assert.deepEqual(silent.wishes, ['release', 'drop']);
    assert.deepEqual([worker.state.ended.released, cluster.stored('a').holder], [1, undefined]);
  });

  it('waits for the last word on a lease that is longer than its patience', async () => {
    cluster.leaseMs = 4_800;
    const silent = new SilentHost();
    const worker = await startWorker({ peer: cluster, openHost: () => silent, clock, random: fixedRandom, logger });
    cluster.publish('a');
    await settled();
    const drained = worker.drain({ graceMs: 0 });
    await settled();
    const grantedMs = silent.ports?.leaseLeftMs() ?? 0;
    assert.ok(grantedMs > workerLimits.engineReleaseMsMax);
    await clock.advance(grantedMs - 1);
    assert.equal(worker.state.ended.released, 0);
    await clock.advance(1);
    await drained;
    assert.equal(worker.state.ended.released, 1);
  });

  it('goes on after an engine that was silent only when its last word on the lease has run out', async () => {
    cluster.leaseMs = 60_000;
    await using worker = await start();
    cluster.publish('a');
    await (await engine.begun(0)).effect('one');
    const grantedMs = host.ports(0)?.leaseLeftMs() ?? 0;
    host.interrupt(0, mvmError('CONNECTION_LOST', 'the other side was silent', { silenceMs: 10_000 }));
    await clock.advance(grantedMs - 1);
    assert.equal(host.runs, 1);
    await clock.advance(100);
    assert.equal(host.runs, 2);
    assert.equal(worker.state.held, 1);
  });

  it('counts a job that its engine has finished unheard', async () => {
    const silent = new SilentHost();
    await using worker = await startWorker({
      peer: cluster,
      openHost: () => silent,
      clock,
      random: fixedRandom,
      logger,
    });
    cluster.publish('a');
    await settled();
    Object.assign(cluster.stored('a'), { outcome: { type: 'completed', result: '1' }, holder: undefined });
    await clock.advance(600);
    assert.deepEqual([worker.state.ended.completed, worker.state.ended.lost, worker.state.held], [1, 0, 0]);
    assert.deepEqual(
      logger.lines.filter(({ level }) => level === 'warn'),
      [],
    );
  });

  it('counts a job as lost that another has, and says so once', async () => {
    const silent = new SilentHost();
    await using worker = await startWorker({
      peer: cluster,
      openHost: () => silent,
      clock,
      random: fixedRandom,
      logger,
    });
    cluster.publish('a');
    await settled();
    cluster.stored('a').epoch += 1;
    await clock.advance(600);
    assert.deepEqual([worker.state.ended.lost, worker.state.held], [1, 0]);
    assert.equal(logger.lines.filter(({ level }) => level === 'warn').length, 1);
  });

  it('ends at once when it is stopped while it asks what became of a job', async () => {
    const silent = new SilentHost();
    const worker = await startWorker({ peer: cluster, openHost: () => silent, clock, random: fixedRandom, logger });
    cluster.publish('a');
    await settled();
    cluster.stored('a').epoch += 1;
    cluster.fault = (path) => (path === '/peer/finish' ? new Promise(() => undefined) : undefined);
    await clock.advance(600);
    assert.equal(worker.state.held, 1);
    await worker.stop();
    assert.equal(worker.state.ended.lost, 1);
  });

  it('claims nothing while there is an obstacle, and says so now and then', async () => {
    host.obstacle = mvmError('UNAVAILABLE', 'no engine answers');
    await using worker = await start();
    cluster.publish('a');
    await clock.advance(11_000);
    assert.equal(worker.state.claimed, 0);
    assert.equal(logger.lines.filter(({ level }) => level === 'warn').length, 3);
    host.obstacle = undefined;
    await clock.advance(300);
    await (await engine.begun(0)).finish();
  });
});
