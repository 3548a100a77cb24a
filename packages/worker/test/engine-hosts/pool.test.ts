import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { mvmError } from '@mvm-ci/protocol';
import { poolLimits } from '../../src/limits.ts';
import { settled } from '../fixtures/fake-clock.ts';
import { interruption, ScriptPool, silentPorts } from '../fixtures/script-pool.ts';

const gone = mvmError('CONNECTION_LOST', 'connect ECONNREFUSED');
const draining = mvmError('UNAVAILABLE', 'draining', { draining: true });

describe('EnginePool', () => {
  let scene: ScriptPool;

  beforeEach(() => {
    scene = new ScriptPool(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });

  afterEach(async () => {
    await scene.pool.stop();
    assert.equal(scene.clock.pending, 0);
    assert.ok(scene.opened.every(({ isStopped }) => isStopped));
  });

  const warnings = (): readonly string[] =>
    scene.logger.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);
  const open = (number: number): number => scene.member(number).open;

  describe('at the beginning', () => {
    it('has an obstacle until a server has answered', async () => {
      assert.match(scene.pool.obstacle?.message ?? '', /being looked up/);
      await settled();
      assert.match(scene.pool.obstacle?.message ?? '', /none of the 3 engine servers has answered yet/);
      await scene.clock.advance(0);
      assert.equal(scene.pool.obstacle, undefined);
      assert.equal(scene.states, '1 healthy, 2 healthy, 3 healthy');
    });

    it('names the lookup as the obstacle when the name was never found', async () => {
      scene.lookupError = new Error('queryA ESERVFAIL engines');
      await scene.begin();
      assert.equal(scene.pool.obstacle?.code, 'UNAVAILABLE');
      assert.match(scene.pool.obstacle?.message ?? '', /name "engines" could not be looked up: queryA ESERVFAIL/);
    });

    it('names what is wrong with each server when none can be used', async () => {
      scene.onOpened = (member) => void (member.fault = mvmError('UNAUTHENTICATED', 'the token is wrong'));
      await scene.begin();
      assert.equal(scene.pool.obstacle?.code, 'UNAVAILABLE');
      assert.match(scene.pool.obstacle?.message ?? '', /10\.0\.0\.1:1: the token is wrong; .*10\.0\.0\.2:1/);
      assert.equal(interruption(scene.run())?.code, undefined);
    });

    it('interrupts a run that finds no server', async () => {
      scene.onOpened = (member) => void (member.fault = gone);
      await scene.begin();
      const run = scene.run();
      await settled();
      assert.equal(interruption(run)?.code, 'UNAVAILABLE');
    });
  });

  describe('choosing', () => {
    it('spreads runs over the servers', async () => {
      await scene.begin();
      scene.runs(60);
      for (const number of [1, 2, 3]) assert.ok(Math.abs(open(number) - 20) <= 4, `${open(number)} runs`);
      assert.deepEqual(
        scene.pool.engines.map(({ runs }) => runs),
        [1, 2, 3].map(open),
      );
    });

    it('gives less to a server that others use', async () => {
      scene.onOpened = (member) => void (member.foreignRuns = member.url.includes('.1:') ? 50 : 0);
      await scene.begin();
      scene.runs(60);
      assert.ok(open(1) < 12, `${open(1)} runs`);
    });

    it('gives a run that a busy server turned away to the next, with the same journal', async () => {
      scene.onOpened = (member) => void (member.isBusy = !member.url.includes('.3:'));
      await scene.begin();
      let opened = 0;
      const ports = { ...silentPorts, openJournal: () => ((opened += 1), silentPorts.openJournal()) };
      const runs = [scene.run('a', ports), scene.run('b', ports), scene.run('c', ports), scene.run('d', ports)];
      await settled();
      assert.ok(runs.every(({ end }) => end === undefined));
      assert.equal(open(3), 4);
      const [, second] = scene.member(3).runs;
      await second?.ports.openJournal();
      await second?.ports.openJournal();
      assert.equal(opened, 1);
      assert.equal(scene.states, '1 healthy, 2 healthy, 3 healthy');
    });

    it('takes no server whose host cannot take a run, though the server is healthy', async () => {
      await scene.begin();
      scene.member(1).obstacle = gone;
      scene.member(3).obstacle = gone;
      scene.runs(6);
      assert.equal(open(2), 6);
      scene.member(2).obstacle = gone;
      assert.equal(scene.pool.obstacle, gone);
      const refused = scene.run();
      await settled();
      assert.equal(interruption(refused), gone);
    });

    it('comes back to a busy server after a moment', async () => {
      scene.onOpened = (member) => void (member.isBusy = true);
      await scene.begin();
      const refused = scene.run();
      await settled();
      assert.equal(interruption(refused)?.code, 'ENGINE_BUSY');
      assert.equal(scene.pool.obstacle?.code, 'ENGINE_BUSY');
      for (const member of scene.opened) member.isBusy = false;
      await scene.clock.advance(poolLimits.busyMs);
      assert.equal(scene.pool.obstacle, undefined);
      scene.run();
      assert.equal(open(1) + open(2) + open(3), 1);
    });

    it('has an obstacle when every server has as many runs as it takes', async () => {
      scene.onOpened = (member) => void (member.runsMax = 2);
      await scene.begin();
      scene.runs(6);
      assert.equal(scene.pool.obstacle?.code, 'ENGINE_BUSY');
      scene.member(2).runs[0]?.complete();
      await settled();
      assert.equal(scene.pool.obstacle, undefined);
    });
  });

  describe('a server that fails', () => {
    it('interrupts its runs, and they find another server at once', async () => {
      await scene.begin();
      const runs = scene.runs(30);
      const lost = scene.member(2).runs.map(({ job }) => job.job);
      scene.member(2).fault = gone;
      for (const run of scene.member(2).runs) run.interrupt();
      await settled();
      assert.equal(runs.filter((run) => interruption(run)?.code === 'CONNECTION_LOST').length, lost.length);
      for (const name of lost) scene.run(name);
      assert.equal(open(2), 0);
      assert.equal(open(1) + open(3), 30);
    });

    it('is ejected when its probes fail too, asked again when its time is over, and starts slowly', async () => {
      await scene.begin();
      scene.run();
      scene.member(2).fault = gone;
      await scene.clock.advance(poolLimits.probeMs * 1.3 + 3 * poolLimits.probeSuspectMs);
      assert.equal(scene.states, '1 healthy, 2 ejected, 3 healthy');
      assert.match(warnings().join(), /engine server http:\/\/10\.0\.0\.2:1 gets no jobs: connect ECONNREFUSED/);
      scene.member(2).fault = undefined;
      await scene.clock.advance(scene.pool.engines[1]?.ejectedForMs ?? 0);
      assert.equal(scene.states, '1 healthy, 2 slow-start, 3 healthy');
      scene.runs(60);
      assert.ok(open(2) < 12, `${open(2)} runs at first`);
      await scene.clock.advance(poolLimits.slowStartMs);
      assert.equal(scene.states, '1 healthy, 2 healthy, 3 healthy');
      scene.runs(60);
      assert.ok(open(2) > 25, `${open(2)} runs later`);
    });

    it('says once that it is gone, however long it stays away', async () => {
      await scene.begin();
      scene.member(2).fault = gone;
      await scene.clock.advance(600_000);
      assert.equal(warnings().length, 1);
      assert.ok(scene.member(2).probes < 60, `${scene.member(2).probes} probes`);
    });

    it('makes the pool look for other servers at once', async () => {
      await scene.begin();
      await scene.clock.advance(poolLimits.resolveMsMin);
      scene.addresses = ['10.0.0.1', '10.0.0.3', '10.0.0.4'];
      scene.member(2).fault = gone;
      scene.runs(9);
      for (const run of scene.member(2).runs) run.interrupt();
      await scene.clock.advance(1_000);
      assert.equal(scene.states, '1 healthy, 3 healthy, 4 slow-start');
    });

    it('is noticed when it does not answer at all', async () => {
      await scene.begin();
      scene.member(1).isSilent = true;
      await scene.clock.advance(2 * poolLimits.probeMs + 3 * poolLimits.probeDeadlineMs);
      assert.match(scene.states, /^1 ejected/);
      assert.match(scene.pool.engines[0]?.lastError?.message ?? '', /no answer within 2000 ms/);
    });

    it('is an obstacle when it is the last one', async () => {
      await scene.begin();
      for (const member of scene.opened) member.fault = gone;
      await scene.clock.advance(2 * poolLimits.probeMs);
      assert.equal(scene.states, '1 ejected, 2 ejected, 3 ejected');
      assert.match(scene.pool.obstacle?.message ?? '', /none of the 3 engine servers can be used/);
      for (const member of scene.opened) member.fault = undefined;
      await scene.clock.advance(poolLimits.ejectMsMax);
      assert.equal(scene.pool.obstacle, undefined);
    });

    it('is ejected for its runs alone, but not more than a share of the pool', async () => {
      await scene.begin();
      for (let round = 0; round < 30; round += 1) {
        scene.runs(3);
        for (const member of scene.opened) for (const run of member.runs) run.interrupt();
        await scene.clock.advance(poolLimits.failureMergeMs);
        const ejected = scene.pool.engines.filter(({ state }) => state === 'ejected').length;
        assert.ok(ejected <= 1, `${ejected} ejected`);
      }
      assert.ok(warnings().length > 0);
    });

    it('is blamed for a fault of its engine, and not for a journal that could not be opened', async () => {
      await scene.begin();
      const stale = scene.run('stale');
      const first = scene.opened.flatMap(({ runs }) => runs).find(({ job }) => job.job === 'stale');
      first?.fail(mvmError('STALE_LEASE', 'over'));
      await settled();
      assert.equal(stale.error instanceof Error, true);
      assert.ok(scene.pool.engines.every(({ lastError }) => lastError === undefined));
      scene.run('broken');
      const second = scene.opened.flatMap(({ runs }) => runs).find(({ job }) => job.job === 'broken');
      second?.fail(mvmError('INTERNAL', 'a bug'));
      await settled();
      assert.equal(scene.pool.engines.filter(({ lastError }) => lastError?.message === 'a bug').length, 1);
    });
  });

  describe('a server that drains', () => {
    it('gets no new runs when it gives one back, and is not called failed', async () => {
      await scene.begin();
      const given = scene.run();
      const server = scene.opened.find((member) => member.open > 0);
      assert.ok(server);
      server.fault = draining;
      server.runs[0]?.giveBack();
      await settled();
      assert.deepEqual(given.end, { type: 'finished', outcome: { type: 'released' } });
      scene.runs(30);
      assert.equal(server.open, 0);
      assert.equal(scene.pool.engines.filter(({ state }) => state === 'draining').length, 1);
      assert.deepEqual(warnings(), []);
    });

    it('gets no new runs when its health route says so, and may finish those that it has', async () => {
      await scene.begin();
      const runs = scene.runs(9);
      const before = open(1);
      scene.member(1).fault = draining;
      await scene.clock.advance(poolLimits.probeMs * 1.3);
      assert.match(scene.states, /^1 draining/);
      scene.runs(30);
      assert.equal(open(1), before);
      for (const run of scene.member(1).runs) run.complete();
      await settled();
      assert.equal(runs.filter(({ end }) => end?.type === 'finished').length, before);
    });

    it('is taken for well when the worker itself gave the run back', async () => {
      await scene.begin();
      scene.run().run.release();
      scene.run().run.handOver?.();
      await settled();
      assert.equal(scene.states, '1 healthy, 2 healthy, 3 healthy');
    });
  });

  describe('servers that come and go', () => {
    it('gives no new runs to one that is no longer found, and closes it when its runs are over', async () => {
      await scene.begin();
      scene.runs(9);
      const old = scene.member(2);
      const before = old.open;
      scene.addresses = ['10.0.0.1', '10.0.0.3'];
      await scene.clock.advance(2 * poolLimits.resolveMs);
      assert.equal(scene.states, '1 healthy, 2 leaving, 3 healthy');
      scene.runs(30);
      assert.equal(old.open, before);
      assert.equal(old.isStopped, false);
      for (const run of old.runs) run.complete();
      await settled();
      assert.equal(old.isStopped, true);
      assert.equal(scene.states, '1 healthy, 3 healthy');
    });

    it('takes one back that was found again before its runs were over', async () => {
      await scene.begin();
      scene.runs(9);
      scene.addresses = ['10.0.0.1', '10.0.0.3'];
      await scene.clock.advance(2 * poolLimits.resolveMs);
      scene.addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
      await scene.clock.advance(2 * poolLimits.resolveMs);
      assert.equal(scene.states, '1 healthy, 2 healthy, 3 healthy');
      assert.equal(scene.opened.length, 3);
    });

    it('keeps its servers when the name server fails', async () => {
      await scene.begin();
      scene.lookupError = new Error('ETIMEOUT');
      await scene.clock.advance(10 * poolLimits.resolveMs);
      assert.equal(scene.states, '1 healthy, 2 healthy, 3 healthy');
      assert.equal(scene.pool.obstacle, undefined);
    });
  });

  it('passes on what is asked of a run', async () => {
    await scene.begin();
    const cancelled = scene.run('c');
    const dropped = scene.run('d');
    cancelled.run.cancel('enough');
    dropped.run.drop();
    await settled();
    assert.deepEqual(cancelled.end, { type: 'finished', outcome: { type: 'cancelled' } });
    assert.deepEqual(dropped.end, { type: 'dropped' });
    assert.deepEqual(scene.opened.flatMap(({ runs }) => runs.flatMap(({ heard }) => heard)).sort(), [
      'cancel enough',
      'drop',
    ]);
  });

  it('drops its runs when it is stopped', async () => {
    await scene.begin();
    const runs = scene.runs(5);
    await scene.pool.stop();
    await settled();
    assert.ok(runs.every(({ end }) => end?.type === 'dropped'));
  });
});
