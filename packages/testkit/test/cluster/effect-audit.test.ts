import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EffectAudit, type AuditedJournal } from '@mvm-ci/testkit';

const fetchIntents = (...calls: number[]): { kind: string; intents: { type: string; call: number }[] } => ({
  kind: 'intents',
  intents: calls.map((call) => ({ type: 'fetch', call })),
});
const answered = (call: number): { kind: string; call: number } => ({ kind: 'answered', call });

const journal: AuditedJournal = {
  job_id: 'j',
  attempt: 1,
  entries: [{ kind: 'started' }, fetchIntents(1, 2), answered(1)],
};

describe('EffectAudit', () => {
  it('calls a request that came once an effect and nothing else', () => {
    const verdict = new EffectAudit().judge([{ key: 'j:1:1', atMs: 1 }]);
    assert.deepEqual(verdict, { effects: 1, resent: 0, duplicated: [], inFlight: 0 });
  });

  it('calls a repeated request a duplicate when nobody was killed', () => {
    const verdict = new EffectAudit().judge([
      { key: 'j:1:1', atMs: 1 },
      { key: 'j:1:1', atMs: 2 },
    ]);
    assert.deepEqual(verdict.duplicated, ['j:1:1']);
  });

  it('excuses a call that was open at a kill, once', () => {
    const audit = new EffectAudit();
    audit.noteKill(5, [journal]);
    const verdict = audit.judge([
      { key: 'j:1:2', atMs: 1 },
      { key: 'j:1:2', atMs: 8 },
      { key: 'j:1:2', atMs: 9 },
    ]);
    assert.deepEqual(verdict, { effects: 1, resent: 1, duplicated: ['j:1:2'], inFlight: 1 });
  });

  it('does not excuse a call whose answer was durable at the kill', () => {
    const audit = new EffectAudit();
    audit.noteKill(5, [journal]);
    const verdict = audit.judge([
      { key: 'j:1:1', atMs: 1 },
      { key: 'j:1:1', atMs: 8 },
    ]);
    assert.deepEqual(verdict.duplicated, ['j:1:1']);
  });

  it('does not excuse a repetition from before the kill', () => {
    const audit = new EffectAudit();
    audit.noteKill(5, [journal]);
    const verdict = audit.judge([
      { key: 'j:1:2', atMs: 1 },
      { key: 'j:1:2', atMs: 2 },
    ]);
    assert.deepEqual(verdict.duplicated, ['j:1:2']);
  });

  it('excuses what an engine elsewhere had asked for after the kill, but not once its answer was noted', () => {
    const audit = new EffectAudit();
    const answeredAt = (call: number, at: number): { kind: string; call: number; at: number } => ({
      ...answered(call),
      at,
    });
    const entries = [fetchIntents(1, 2), answeredAt(1, 4), answeredAt(2, 20), fetchIntents(3), answeredAt(3, 30)];
    audit.noteKillOfHolder(5, [{ job_id: 'j', attempt: 1, entries }]);
    const verdict = audit.judge([
      { key: 'j:1:1', atMs: 1 },
      { key: 'j:1:1', atMs: 8 },
      { key: 'j:1:2', atMs: 3 },
      { key: 'j:1:2', atMs: 18 },
      { key: 'j:1:3', atMs: 25 },
      { key: 'j:1:3', atMs: 31 },
    ]);
    assert.deepEqual(verdict, { effects: 3, resent: 1, duplicated: ['j:1:1', 'j:1:3'], inFlight: 2 });
  });
});
