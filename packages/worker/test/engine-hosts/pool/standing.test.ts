import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { mvmError } from '@mvm-ci/protocol';
import { Standing } from '../../../src/engine-hosts/pool/standing.ts';
import { poolLimits } from '../../../src/limits.ts';

const health = { runs: 0, runsMax: 8, version: '1' };
const lost = mvmError('CONNECTION_LOST', 'gone');

describe('Standing', () => {
  let standing: Standing;

  beforeEach(() => {
    standing = new Standing({ startsWarm: true });
  });

  const serving = (nowMs = 0): void => standing.probeSucceeded(nowMs, health);
  const failProbes = (count: number, nowMs = 0): void => {
    for (let n = 0; n < count; n += 1) standing.probeFailed(nowMs, lost);
  };
  const ejectedForMs = (nowMs = 0): number =>
    standing.phase.type === 'ejected' ? standing.phase.untilMs - nowMs : Number.NaN;

  it('gives no share to a server that nobody has asked', () => {
    assert.equal(standing.phase.type, 'new');
    assert.equal(standing.share(0), 0);
  });

  it('gives the full share at once to a server that was there from the beginning', () => {
    serving();
    assert.equal(standing.share(0), 1);
  });

  it('gives a later server its share step by step', () => {
    const later = new Standing({ startsWarm: false });
    later.probeSucceeded(1_000, health);
    const shares = [0, 0.5, 1, 2].map((part) => later.share(1_000 + part * poolLimits.slowStartMs));
    assert.deepEqual(shares, [poolLimits.slowStartShareMin, 0.5, 1, 1]);
  });

  it('ejects a new server whose first probe fails', () => {
    failProbes(1);
    assert.equal(ejectedForMs(), poolLimits.ejectMs);
    assert.equal(standing.lastError, lost);
  });

  it('ejects a serving server only after several failed probes in a row', () => {
    serving();
    failProbes(poolLimits.failuresToEject - 1);
    assert.equal(standing.phase.type, 'serving');
    serving();
    failProbes(poolLimits.failuresToEject - 1);
    assert.equal(standing.phase.type, 'serving');
    failProbes(1);
    assert.equal(standing.phase.type, 'ejected');
  });

  it('suspects a server from its first failure to its next answer', () => {
    serving();
    failProbes(1, 10);
    assert.equal(standing.isSuspect(11), true);
    assert.equal(standing.isSuspect(10 + poolLimits.suspectMs), false);
    standing.probeSucceeded(12, health);
    assert.equal(standing.isSuspect(12), false);
  });

  it('ejects for longer each time, up to a limit', () => {
    const times: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      failProbes(1);
      times.push(ejectedForMs());
    }
    assert.deepEqual(times, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('starts with the shortest ejection again after a long good time', () => {
    failProbes(4);
    serving(10_000);
    serving(10_000 + poolLimits.ejectForgetMs - 1);
    failProbes(3);
    assert.equal(ejectedForMs(), 16_000);
    serving(20_000);
    serving(20_000 + poolLimits.ejectForgetMs);
    failProbes(3);
    assert.equal(ejectedForMs(), poolLimits.ejectMs);
  });

  it('returns by a probe that succeeds, with a small share', () => {
    failProbes(1);
    serving(5_000);
    assert.equal(standing.phase.type, 'serving');
    assert.equal(standing.share(5_000), poolLimits.slowStartShareMin);
  });

  it('counts the runs of one broken connection as one failure', () => {
    serving();
    for (let n = 0; n < 50; n += 1) assert.equal(standing.runFailed(100, lost), false);
  });

  it('wants a server ejected that breaks run after run, though it answers probes', () => {
    serving();
    const verdicts = [1_000, 2_000, 3_000].map((nowMs) => {
      const deserved = standing.runFailed(nowMs, lost);
      serving(nowMs + 1);
      return deserved;
    });
    assert.deepEqual(verdicts, [false, false, true]);
    standing.ejectForRuns(3_000);
    assert.equal(standing.phase.type, 'ejected');
  });

  it('wants a server ejected that breaks every second run', () => {
    serving();
    let deserved = false;
    for (let n = 1; n <= poolLimits.ratioRunsMin / 2; n += 1) {
      assert.equal(deserved, false);
      standing.runSucceeded();
      deserved = standing.runFailed(n * 1_000, lost);
    }
    assert.equal(deserved, true);
  });

  it('forgets what its runs did when it returns', () => {
    serving();
    for (const nowMs of [1_000, 2_000, 3_000]) standing.runFailed(nowMs, lost);
    standing.ejectForRuns(3_000);
    serving(5_000);
    assert.equal(standing.runFailed(6_000, lost), false);
  });

  it('backs off from a busy server for longer each time, and counts no failure', () => {
    serving();
    standing.runRefused(0, 1);
    assert.deepEqual([standing.isBusy(poolLimits.busyMs - 1), standing.isBusy(poolLimits.busyMs)], [true, false]);
    standing.runRefused(1_000, 1);
    assert.equal(standing.isBusy(1_000 + poolLimits.busyMs), true);
    for (let n = 0; n < 40; n += 1) standing.runRefused(2_000, 1);
    assert.equal(standing.isBusy(2_000 + poolLimits.busyMsMax), false);
    assert.equal(standing.phase.type, 'serving');
    assert.equal(standing.isSuspect(2_000), false);
  });

  it('backs off shortly again after a run that went well', () => {
    serving();
    for (let n = 0; n < 10; n += 1) standing.runRefused(0, 1);
    standing.runSucceeded();
    standing.runRefused(10_000, 1);
    assert.equal(standing.isBusy(10_000 + poolLimits.busyMs), false);
  });

  it('takes draining for no failure, and lets the server return with a small share', () => {
    serving();
    standing.drains();
    assert.equal(standing.phase.type, 'draining');
    assert.equal(standing.share(0), 0);
    assert.equal(standing.isSuspect(0), false);
    serving(9_000);
    assert.equal(standing.share(9_000), poolLimits.slowStartShareMin);
  });

  it('ejects a drained server that is gone', () => {
    serving();
    standing.drains();
    failProbes(1);
    assert.equal(ejectedForMs(), poolLimits.ejectMs);
  });
});
