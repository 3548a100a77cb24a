import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canDo } from '../src/format/state.ts';
import { agoText, durationText } from '../src/format/time.ts';
import { bytesText, jsonText, parsedJson, shortId } from '../src/format/value.ts';
import { rates } from '../src/live/rates.ts';
import { jobPath, jobsPath } from '../src/paths.ts';

test('a duration has its two largest units', () => {
  assert.equal(durationText(-5), '0 ms');
  assert.equal(durationText(999), '999 ms');
  assert.equal(durationText(1_250), '1.2 s');
  assert.equal(durationText(59_999), '59 s');
  assert.equal(durationText(125_000), '2 min 5 s');
  assert.equal(durationText(86_400_000 * 2 + 3_600_000), '2 d 1 h');
});

test('a time is ago or to come', () => {
  assert.equal(agoText(10_000, 70_000), '1 min ago');
  assert.equal(agoText(70_000, 10_000), 'in 1 min');
});

test('values are shown whole unless they are too long', () => {
  assert.equal(jsonText({ a: '<b>' }), '{\n  "a": "<b>"\n}');
  assert.equal(jsonText('x'.repeat(20), 5), '"xxxx\n… 17 more characters');
  assert.equal(bytesText(1_536), '1.5 KiB');
  assert.equal(shortId('a'.repeat(64)), 'a'.repeat(10));
  assert.equal(shortId('operator'), 'operator');
  assert.deepEqual(parsedJson('null'), { value: null });
  assert.equal(parsedJson('{'), undefined);
});

test('an address holds what is looked for, and no more', () => {
  assert.equal(jobsPath({ state: 'failed', queue: undefined, key: '' }), '/dashboard/jobs?state=failed');
  assert.equal(jobPath('a/b?c'), '/dashboard/jobs/a%2Fb%3Fc');
});

test('only what is possible in a state is offered', () => {
  assert.ok(canDo('cancel', { status: 'waiting', workflow: 'a' }));
  assert.ok(!canDo('message', { status: 'waiting', workflow: null }));
  assert.ok(!canDo('retry', { status: 'completed', workflow: 'a' }));
});

test('a rate is what was added in a second, never what was forgotten', () => {
  const none = {
    pending: 0,
    claimed: 0,
    in_progress: 0,
    waiting: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    workers: 0,
  };
  const columns = rates([
    { at: 1, stats: { ...none, total: 10 } },
    { at: 3, stats: { ...none, total: 14, completed: 2 } },
    { at: 4, stats: { ...none, total: 1, completed: 3 } },
  ]);
  assert.deepEqual(columns, [
    [3, 4],
    [2, 0],
    [1, 1],
    [0, 0],
  ]);
});
