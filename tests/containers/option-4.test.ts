import assert from 'node:assert/strict';
import { it } from 'node:test';
import { checklist } from './checklist.ts';
import { metricIn } from './metric.ts';
import { statusFrom } from './reach.ts';

checklist(4, (stack) => {
  it('run jobs in the engine server beside the control plane, which demands its token', async () => {
    for (const worker of await stack().containers('worker')) {
      assert.equal(await metricIn(worker, 'mvm_ci_engine_threads'), 0);
      assert.ok((await metricIn(worker, 'mvm_ci_worker_claims_total')) > 0);
      assert.equal(await statusFrom(worker, 'http://control-plane:27288/version'), 401);
    }
  });
});
