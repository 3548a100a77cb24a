import { blake3, defaultBackoff } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { FinishCommand, PublishCommand } from '../../src/machine/command.ts';
import { noEffects } from '../../src/machine/effects.ts';
import type { ClaimedRow, Reply } from '../../src/machine/reply.ts';
import {
  sentCommand,
  sentEffects,
  sentReply,
  wholeCommand,
  wholeEffects,
  wholeReply,
} from '../../src/store/thread-form.ts';

const hash = blake3('1');
const append = { firstSeq: 0, count: 1, bytes: new Uint8Array([1, 2]), hash };

const publish: PublishCommand = {
  type: 'publish',
  at: 7,
  pendingJobsMax: 9,
  jobs: [
    {
      id: 'a',
      reference: 'mail@1/send',
      input: '{"to":1}',
      attemptsMax: 3,
      backoff: defaultBackoff,
      options: '{"queue":"q"}',
      trace: '00-1-2-01',
      hash,
    },
    {
      id: 'b',
      reference: null,
      input: 'null',
      attemptsMax: 1,
      backoff: { ...defaultBackoff, factor: 3 },
      options: null,
      trace: null,
      hash: blake3('2'),
    },
  ],
};

const lease = { job: 'a', epoch: 2, attempt: 1 };
const finish: FinishCommand = {
  type: 'finish',
  at: 7,
  worker: 'w',
  jitter: 0.5,
  pendingJobsMax: 9,
  finishes: [
    { ...lease, outcome: { type: 'completed', result: '"cancelled"' }, append, outcomeHash: hash },
    { ...lease, outcome: { type: 'suspended', wakeAt: 5, seen: 1 }, append: undefined, outcomeHash: blake3('2') },
    {
      ...lease,
      outcome: { type: 'failed', error: { code: 'WORKFLOW_FAILED', message: 'no' }, retryable: true },
      append: { ...append, progress: { percent: 5, text: 'x' } },
      outcomeHash: blake3('3'),
    },
  ],
};

const claimed = (job: string, contentHash: Uint8Array): ClaimedRow => ({
  ...lease,
  job,
  module: 'ff',
  workflow: 'send',
  input: '1',
  journalEntries: 4,
  content: {
    reference: 'mail@1/send',
    attemptsMax: 3,
    backoffInitialMs: 10,
    backoffFactor: 2,
    backoffMaxMs: 100,
    options: null,
    trace: '00-1-2-01',
    hash: contentHash,
  },
});

const error = { code: 'STALE_LEASE', message: 'over' } as const;
const replies: readonly Reply[] = [
  { type: 'claim', jobs: [claimed('a', hash), claimed('b', blake3('2'))] },
  { type: 'claim', jobs: [] },
  { type: 'finish', results: [{ ok: true }, { ok: true }] },
  { type: 'append', results: [{ ok: true }, { ok: false, error }] },
  {
    type: 'append',
    results: [{ ok: true, refused: [{ number: 1, at: 2, body: { type: 'refused', call: 3, error } }] }],
  },
  { type: 'publish', jobs: [{ job_id: 'a', status: 'pending', created: true }] },
  { type: 'expire' },
];

suite('what crosses to a thread of the store and back', () => {
  for (const command of [publish, finish, { ...finish, finishes: [] }] as const)
    test(`is the same ${command.type} command`, () => {
      assert.deepEqual(wholeCommand(structuredClone(sentCommand(command))), command);
    });

  for (const reply of replies)
    test(`is the same reply: ${JSON.stringify(reply).slice(0, 60)}`, () => {
      assert.deepEqual(wholeReply(structuredClone(sentReply(reply))), reply);
    });

  test('is a hash of another length too, which only a damaged database holds', () => {
    const reply: Reply = { type: 'claim', jobs: [claimed('a', hash), claimed('b', new Uint8Array([1]))] };
    assert.deepEqual(wholeReply(structuredClone(sentReply(reply))), reply);
  });

  test('is the same effects, in their order, of one holder or several', () => {
    const held = { incarnation: 'i', bare: false };
    const effects = {
      ...noEffects(12),
      leases: [
        { job: 'a', epoch: 1, worker: 'w1', ...held },
        { job: 'b', epoch: 2, worker: 'w1', ...held },
        { job: 'c', epoch: 1, worker: 'w2', ...held },
        { job: 'd', epoch: 1, worker: 'w1', ...held, bare: true },
      ],
      released: [{ job: 'e', epoch: 3 }],
      finals: ['e'],
      runAt: 5,
    };
    effects.tally.claims = 4;
    assert.deepEqual(wholeEffects(structuredClone(sentEffects(effects))), effects);
    assert.deepEqual(wholeEffects(structuredClone(sentEffects(noEffects(0)))), noEffects(0));
  });
});
