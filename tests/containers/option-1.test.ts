import assert from 'node:assert/strict';
import { it } from 'node:test';
import { checklist } from './checklist.ts';
import { metricIn } from './metric.ts';

checklist(1, (stack) => {
  it('run jobs in the workers, and nothing in the control plane', async () => {
    for (const worker of await stack().containers('worker'))
      assert.ok((await metricIn(worker, 'mvm_ci_engine_threads')) > 0);
  });
});
