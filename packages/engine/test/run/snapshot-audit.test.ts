import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { workflowModule } from '@mvm-ci/testkit';
import { GuestThreads } from '../../src/guest/guest-threads.ts';
import { defaultGuestLimits } from '../../src/limits.ts';
import type { GuestStep } from '../../src/run/activation.ts';
import { auditSnapshot } from '../../src/run/snapshot-audit.ts';
import { systemClock } from '../../src/system-clock.ts';
import { compileQuickjs } from '../../src/system-quickjs.ts';

const { code } = workflowModule('const kept = []; for (;;) { kept.push(Math.random()); await sleep(kept.length); }');
const counter = { id: 1, code: { kind: 'javascript', script: new TextDecoder().decode(code) } } as const;
const steps: readonly GuestStep[] = Array.from({ length: 20 }, (_, index) => ({
  activation: {
    now: index,
    events:
      index === 0
        ? [{ type: 'start', job: 'j', attempt: 1, workflow: 'main', input: '{}', seed: new Uint8Array(32) }]
        : [{ type: 'answer', call: index, answer: { type: 'slept' } }],
  },
  recorded: [{ type: 'sleep', call: index + 1, ms: index + 1 }],
}));

describe('an audit', () => {
  it('finds the memory of a guest that resumed the same as that of a replay, and any other one different', async () => {
    const options = { threads: 1, quickjs: await compileQuickjs(), limits: defaultGuestLimits, clock: systemClock };
    await using threads = new GuestThreads(options);
    const first = threads.open(counter);
    await first.step((from) => steps.slice(from, 10));
    const standing = await first.capture();
    assert.ok(standing);
    const resumed = threads.open(counter, { ...standing, seed: new Uint8Array(32) });
    await resumed.step((from) => steps.slice(from));
    const hash = (await resumed.memoryHash()) ?? '';
    assert.equal(await auditSnapshot({ replica: threads.open(counter), steps, hash }), 'same');
    const shorter = steps.slice(0, 19);
    assert.equal(await auditSnapshot({ replica: threads.open(counter), steps: shorter, hash }), 'differs');
    const changed = steps.map((step): GuestStep => ({ ...step, activation: { ...step.activation, now: 99 } }));
    assert.equal(await auditSnapshot({ replica: threads.open(counter), steps: changed, hash }), 'differs');
  });
});
