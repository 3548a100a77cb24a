import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import { sameIntents } from '../../src/guest/intent-comparison.ts';
import { withAuthorPlaces } from '../../src/guest/log-places.ts';

const line = (text: string, level: 'info' | 'warn' = 'info'): Intent => ({ type: 'log', level, text });
const mapStack = (stack: string): string => stack.replace('workflow.js:1:7', 'src/my flow (2).ts:30:4');
const asked = line('TypeError: no\n    at f (workflow.js:1:7)\n    at workflow.js:9\n');
const mapped = line('TypeError: no\n    at f (src/my flow (2).ts:30:4)\n    at workflow.js:9\n');

describe('places in a log', () => {
  it('become the author’s, and all else stays', () => {
    const sleep: Intent = { type: 'sleep', call: 1, ms: 5 };
    assert.deepEqual(withAuthorPlaces([sleep, asked], mapStack), [sleep, mapped]);
    const plain = [line('workflow.js is large')];
    assert.equal(withAuthorPlaces(plain, mapStack), plain);
  });

  it('stay as they are in a line that has two, and in a text that would grow too long', () => {
    for (const text of ['workflow.js:1:7 workflow.js:1:7', `workflow.js:1:7${'x'.repeat(16_384 - 15)}`])
      assert.deepEqual(withAuthorPlaces([line(text)], mapStack), [line(text)]);
  });

  it('are left out of what a replay is compared by', () => {
    assert.ok(sameIntents([mapped], [asked]));
    assert.ok(sameIntents([asked], [asked]));
    assert.ok(sameIntents([line('at workflow.js:5:6')], [line('at workflow.js:7:8')]));
  });

  it('excuse nothing else', () => {
    for (const other of [
      line('TypeError: yes\n    at f (src/a.ts:30:4)\n    at workflow.js:9\n'),
      line('TypeError: no\n    at g (src/a.ts:30:4)\n    at workflow.js:9\n'),
      line('TypeError: no\n    at f (somewhere)\n    at workflow.js:9\n'),
      line('TypeError: no\n    at f (src/a.ts:30:4)\n'),
      line('TypeError: no\n    at f (src/a.ts:30:4)\n    at workflow.js:9\n', 'warn'),
    ])
      assert.equal(sameIntents([other], [asked]), false);
    assert.equal(sameIntents([asked], [line('no')]), false);
    assert.equal(sameIntents([mapped, line('more')], [asked, line('other')]), false);
    assert.equal(sameIntents([line('at :1')], [line('at workflow.js:7:8')]), false);
  });
});
