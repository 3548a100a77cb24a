import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UnhandledRejections } from '../src/unhandled-rejections.ts';

describe('rejections that nothing handles', () => {
  it('are told once, in their order, without those that something handled', () => {
    const rejections = new UnhandledRejections();
    const promises = [{}, {}, {}];
    for (const [index, promise] of promises.entries()) rejections.add(promise, index);
    rejections.delete(promises[1]);
    assert.deepEqual(rejections.take(), ['Unhandled promise rejection: 0', 'Unhandled promise rejection: 2']);
    assert.deepEqual(rejections.take(), []);
  });

  it('are counted beyond the twentieth of a step, and cut where they are long', () => {
    const rejections = new UnhandledRejections();
    for (let index = 0; index < 25; index += 1) rejections.add({}, { text: 'x'.repeat(9_000) });
    const lines = rejections.take();
    assert.equal(lines.length, 21);
    assert.equal(lines.at(-1), 'Unhandled promise rejections: 5 more in this step');
    assert.ok(lines.every((text) => text.length <= 8_000));
  });
});
