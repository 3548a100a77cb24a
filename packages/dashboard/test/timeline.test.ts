import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ShownEntry, ShownIntent } from '../src/journal/shown-entry.ts';
import { timeline, type TimelineRow } from '../src/journal/timeline.ts';

const started: ShownEntry = {
  seq: 0,
  kind: 'started',
  at: 1_000,
  job: 'a',
  attempt: 1,
  module: '',
  runtime: '',
  workflow: 'crawler',
  input: 'null',
  seed: { base64: '' },
};

const get = (call: number, method = 'GET'): ShownIntent => ({
  type: 'fetch',
  call,
  method,
  url: `http://site.test/${call}`,
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: 1,
  idempotent: null,
  key: null,
});

const intents = (seq: number, ...list: readonly ShownIntent[]): ShownEntry => ({ seq, kind: 'intents', intents: list });

const fetched = (seq: number, at: number, call: number, status = 200): ShownEntry => ({
  seq,
  kind: 'answered',
  at,
  call,
  answer: {
    type: 'fetched',
    response: { status, statusText: 'OK', url: '', redirected: false, headers: [], body: { utf8: '' } },
  },
});

const brief = ({ kind, startedAtMs, endedAtMs, outcome, depth }: TimelineRow): unknown => [
  kind,
  startedAtMs,
  endedAtMs,
  outcome,
  depth,
];

test('an effect lasts from the entry before its intent to its answer, and has its class', () => {
  const rows = timeline([
    started,
    intents(1, get(1), { type: 'sleep', call: 2, ms: 500 }, get(3, 'POST')),
    fetched(2, 1_200, 1),
    fetched(3, 1_300, 3, 503),
  ]);
  assert.deepEqual(rows.map(brief), [
    ['started', 1_000, undefined, 'none', 0],
    ['fetch', 1_000, 1_200, 'ok', 0],
    ['sleep', 1_000, undefined, 'open', 0],
    ['fetch', 1_000, 1_300, 'failed', 0],
  ]);
  assert.deepEqual(
    rows.map((row) => row.effectClass),
    [undefined, 'idempotent', 'internal', 'at-most-once'],
  );
});

test('what is in a group is one deeper, and the group lasts until it is closed', () => {
  const open: ShownIntent = { type: 'group', action: 'open', id: 1, name: 'payment' };
  const close: ShownIntent = { ...open, action: 'close', name: '' };
  const rows = timeline([started, intents(1, open, get(1)), fetched(2, 1_400, 1), intents(3, close, get(2))]);
  assert.deepEqual(rows.slice(1).map(brief), [
    ['group', 1_000, 1_400, 'ok', 0],
    ['fetch', 1_000, 1_400, 'ok', 1],
    ['fetch', 1_400, undefined, 'open', 0],
  ]);
});

test('an effect that is no longer wanted, and an answer to nobody, are no surprise', () => {
  const rows = timeline([started, intents(1, get(1)), intents(2, { type: 'abandon', call: 1 }), fetched(3, 1_100, 9)]);
  assert.equal(rows.at(-1)?.outcome, 'abandoned');
});
