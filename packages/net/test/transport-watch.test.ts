import assert from 'node:assert/strict';
import { test } from 'node:test';

import { netLimits } from '../src/limits.ts';
import { watchTransport } from '../src/transport-watch.ts';
import { FakeClock } from './fixtures/fake-clock.ts';

/** A connection whose packets the test counts. */
class Wire {
  isClosed: boolean = false;
  packets = 0;
  asked = 0;
  readonly clock: FakeClock = new FakeClock();
  readonly end: () => void = watchTransport({
    connection: this,
    ask: () => {
      this.asked += 1;
      return Promise.reject(new Error('no answer'));
    },
    clock: this.clock,
  });

  packetsReceived(): number {
    return this.packets;
  }

  pass(ms: number, packetEveryMs: number = Infinity): void {
    for (let passed = 1_000; passed <= ms; passed += 1_000) {
      if (passed % packetEveryMs === 0) this.packets += 1;
      this.clock.advance(1_000);
    }
  }
}

test('a connection on which packets come is never asked, though nothing else happens on it', () => {
  const wire = new Wire();
  wire.pass(120_000, 5_000);
  assert.equal(wire.asked, 0);
});

test('one on which none came for the time is asked at each look, until one comes', () => {
  const wire = new Wire();
  wire.pass(netLimits.transportSilenceMs - 1_000);
  assert.equal(wire.asked, 0);
  wire.pass(1_000);
  assert.equal(wire.asked, 1);
  wire.pass(netLimits.transportLookMs);
  assert.equal(wire.asked, 2);
  wire.packets += 1;
  wire.pass(netLimits.transportSilenceMs);
  assert.equal(wire.asked, 2);
});

test('the watch ends with the connection, or when it is told to', () => {
  const closed = new Wire();
  closed.isClosed = true;
  const ended = new Wire();
  ended.end();
  for (const wire of [closed, ended]) {
    wire.pass(60_000);
    assert.equal(wire.asked, 0);
  }
});
