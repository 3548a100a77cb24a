import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  answered,
  appended,
  fetchedBytes,
  fetchOf,
  intentsOf,
  newCore,
  sleep,
  slept,
  stepped,
  t0,
  types,
} from '../fixtures/run-core-events.ts';

const fetched = fetchedBytes(1);

describe('an attempt that is handed over', () => {
  it('is given back at once when it is at rest and nothing goes on outside', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1)]);
    const outputs = core.handOver();
    assert.deepEqual(types(outputs), ['abort', 'finish']);
    assert.deepEqual(outputs.at(-1), { type: 'finish', outcome: { type: 'released' }, entries: [] });
  });

  it('waits for the requests in flight, journals their answers, and takes no step with them', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [fetchOf(1), fetchOf(2), sleep(3)]);
    core.durable(2, t0);
    assert.deepEqual(core.handOver(), []);
    assert.deepEqual(types(core.answered(3, slept, t0 + 100)), ['append']);
    assert.deepEqual(types(core.answered(1, fetched, t0 + 101)), ['append'], 'one is in flight');
    const last = core.answered(2, fetched, t0 + 102);
    assert.deepEqual(types(last), ['finish']);
    assert.deepEqual(appended(last), [answered(2, t0 + 102, fetched)]);
    assert.deepEqual(core.handOver(), [], 'it is over');
  });

  it('finishes the step that is taken, and performs what it asks for before it leaves', () => {
    const core = newCore();
    core.begin(t0);
    assert.deepEqual(core.handOver(), []);
    assert.deepEqual(appended(stepped(core, [fetchOf(1)])), [intentsOf(fetchOf(1))]);
    assert.deepEqual(core.durable(2, t0), [{ type: 'fetch', intent: fetchOf(1) }], 'its outcome would be unknown');
    assert.deepEqual(types(core.answered(1, fetched, t0 + 1)), ['finish']);
  });

  it('leaves right after a step that asks for nothing outside', () => {
    const core = newCore();
    core.begin(t0);
    core.handOver();
    const outputs = stepped(core, [sleep(1)]);
    assert.deepEqual(types(outputs), ['abort', 'finish']);
    assert.deepEqual(appended(outputs), [intentsOf(sleep(1))]);
  });

  it('can still be cancelled, and given back without a wait', () => {
    for (const leave of ['cancel', 'release'] as const) {
      const core = newCore();
      core.begin(t0);
      stepped(core, [fetchOf(1)]);
      core.durable(2, t0);
      core.handOver();
      assert.deepEqual(types(core[leave]()), ['abort', 'finish']);
    }
  });
});
