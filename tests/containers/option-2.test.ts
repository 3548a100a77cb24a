import assert from 'node:assert/strict';
import { it } from 'node:test';
import { checklist } from './checklist.ts';
import { metricIn } from './metric.ts';
import { reaches } from './reach.ts';

checklist(2, (stack) => {
  it('let workers reach the control plane by the peer path alone, which runs their jobs', async () => {
    for (const worker of await stack().containers('worker')) {
      for (const host of ['control-plane', 'api'])
        assert.equal(await reaches(worker, `http://${host}:3020/healthz`), false);
      assert.equal(await metricIn(worker, 'mvm_ci_engine_threads'), 0);
      assert.ok((await metricIn(worker, 'mvm_ci_worker_claims_total')) > 0);
    }
  });
});
