import assert from 'node:assert/strict';
import { it } from 'node:test';
import { attempt } from './command.ts';
import { checklist } from './checklist.ts';
import { metricIn, metricsIn } from './metric.ts';
import { assertWalked } from './walk.ts';

const deadlineMs = 180_000;
const long = { steps: 40, pauseMs: 150 };

checklist(3, (stack) => {
  it('spread the jobs of every worker over three engines, and go on when one is killed', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const engines = await stack().containers('engine');
    assert.equal(engines.length, 3);
    const ids = await stack().walks(20, long);
    await stack().underWay(ids, signal);
    for (const worker of await stack().containers('worker')) {
      assert.equal(await metricIn(worker, 'mvm_ci_engine_threads'), 0);
      assert.equal((await metricsIn(worker, 'mvm_ci_worker_pool_runs')).length, 3);
    }
    await attempt('docker', ['exec', String(engines[0]), 'sh', '-c', 'kill -9 -1']);
    assertWalked(await stack().ended(ids, signal), long.steps);
    await stack().up(3);
  });
});
