import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry } from '@mvm-ci/protocol';
import { engineLimits } from '../../src/limits.ts';
import { RidingEntries } from '../../src/run/riding-entries.ts';
import type { Shipment } from '../../src/run/run-output.ts';

const answered = (call: number): JournalEntry => ({ kind: 'answered', at: 0, call, answer: { type: 'slept' } });
const intents: JournalEntry = { kind: 'intents', intents: [] };

/** What was shipped, and the timer that a test lets fire. */
class Ship {
  readonly shipped: Shipment[] = [];
  readonly riding: RidingEntries;
  due: { readonly ms: number; readonly fire: () => void } | undefined;

  constructor() {
    const after = (ms: number, fire: () => void): { cancel: () => void } => {
      this.due = { ms, fire };
      return { cancel: () => (this.due = undefined) };
    };
    this.riding = new RidingEntries({ after }, () => this.shipped.push(this.riding.take()));
  }
}

describe('entries that nobody waits for', () => {
  it('leave with those that follow, in their order, and with the latest progress', () => {
    const ship = new Ship();
    ship.riding.add({ entries: [answered(1)], progress: { percent: 1, text: 'old' } });
    ship.riding.add({ entries: [answered(2)] });
    assert.deepEqual(ship.shipped, []);
    ship.riding.add({ entries: [intents], progress: { percent: 2, text: 'new' } });
    assert.deepEqual(ship.shipped, [
      { entries: [answered(1), answered(2), intents], progress: { percent: 2, text: 'new' } },
    ]);
    assert.equal(ship.due, undefined);
  });

  it('leave by themselves after a while', () => {
    const ship = new Ship();
    ship.riding.add({ entries: [answered(1)] });
    assert.equal(ship.due?.ms, engineLimits.rideAlongMs);
    ship.due.fire();
    assert.deepEqual(ship.shipped, [{ entries: [answered(1)] }]);
  });

  it('go with the last ones of a run, once', () => {
    const ship = new Ship();
    ship.riding.add({ entries: [answered(1)] });
    assert.deepEqual(ship.riding.take({ entries: [intents] }).entries, [answered(1), intents]);
    assert.deepEqual(ship.riding.take().entries, []);
    assert.deepEqual(ship.shipped, []);
  });
});
