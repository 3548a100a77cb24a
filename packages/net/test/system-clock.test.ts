import assert from 'node:assert/strict';
import { test } from 'node:test';

import { systemClock } from '../src/index.ts';

const block = (forMs: number): void => {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
};

test('a deadline is not missed by an answer that arrived while the event loop was blocked', async () => {
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const deadline = new Promise<string>((miss) => systemClock.after(10, () => miss('missed')));
  const { port1, port2 } = new MessageChannel();
  port1.on('message', resolve);
  port2.postMessage('answered');
  block(100);
  assert.equal(await Promise.race([answer, deadline]), 'answered');
  port1.close();
});

test('a timer that is cancelled never fires, also when it is late already', async () => {
  const fired: string[] = [];
  systemClock.after(0, () => fired.push('early')).cancel();
  const late = systemClock.after(5, () => fired.push('late'));
  block(60);
  // A timer of the process that was due before: when it has run, the late one has been seen and waits once more.
  await new Promise((resolve) => setTimeout(resolve, 0));
  late.cancel();
  await new Promise<void>((resolve) => {
    const holdsProcess = setInterval(() => undefined, 1_000);
    systemClock.after(100, () => {
      clearInterval(holdsProcess);
      resolve();
    });
  });
  assert.deepEqual(fired, []);
});
