/** What every engine host must do about messages, children and runs that only wait (`docs/internals/inbox.md`). */
import assert from 'node:assert/strict';
import type { ErrorRecord, InternalEffect } from '@mvm-ci/protocol';
import { insideWork, receivingTwo, sleepingLong } from './guest-modules.ts';
import type { HeldAttempt } from './held-attempt.ts';
import { Bench, completed, turns, type Case } from './host-bench.ts';

const message = (messageType: string, data: unknown): Parameters<HeldAttempt['mail']['put']>[0] => ({
  type: 'message',
  from: null,
  messageType,
  data: JSON.stringify(data),
});

const done = completed('["child done","yes","JOB_EXISTS"]');

/** Children are over as soon as they were started, and a message brings an answer. */
const withSystem = (attempt: HeldAttempt): HeldAttempt => {
  attempt.refuseEffect = (effect): ErrorRecord | undefined => {
    if (effect.type === 'start' && effect.job === 'taken') return { code: 'JOB_EXISTS', message: 'it is taken' };
    if (effect.type === 'start')
      attempt.mail.put({ type: 'child', job: effect.job, outcome: { type: 'completed', result: '"child done"' } });
    if (effect.type === 'send') attempt.mail.put(message('answer', 'yes'));
    return undefined;
  };
  return attempt;
};

const namesOf = (effects: readonly InternalEffect[]): readonly string[] =>
  effects
    .flatMap((effect) => {
      if (effect.type === 'consume') return effect.items.map((item) => `consume ${item}`);
      return effect.type === 'respond' ? `respond ${effect.value}` : `${effect.type} ${effect.job}`;
    })
    .toSorted();

const everythingOnce = [
  'consume 1',
  'consume 2',
  'consume 3',
  'respond "early"',
  'send other',
  'start a:1:1',
  'start taken',
];

/** Cases of what happens inside the system. */
export const inside: Readonly<Record<string, Case>> = {
  'tells a workflow the message that was there, and the one that comes while it waits': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', receivingTwo);
    attempt.mail.put(message('other', 0));
    attempt.mail.put(message('go', 'first'));
    const run = bench.run(attempt);
    await attempt.until(() => attempt.effects.some(({ type }) => type === 'consume'));
    await turns();
    attempt.mail.put(message('go', 'ä'.repeat(500_000)));
    assert.deepEqual(await run.ended, completed(JSON.stringify(['first', 'ä'.repeat(500_000)])));
    assert.deepEqual(
      attempt.mail.items.map(({ number }) => number),
      [1],
    );
  },
  'goes on with a full inbox beside its journal': async (open) => {
    await using bench = await Bench.open(open);
    const first = bench.attempt('a', receivingTwo);
    first.mail.put(message('go', 1));
    const run = bench.run(first);
    await first.until(() => first.effects.some(({ type }) => type === 'consume'));
    run.release();
    await run.ended;
    const attempt = bench.attempt('a', receivingTwo, { stored: first.entries });
    // The first item was the former run's.
    attempt.mail.put(message('go', 1));
    for (let number = 2; number < 3_000; number += 1) attempt.mail.put(message('other', 'x'.repeat(50)));
    attempt.mail.put(message('go', 2));
    assert.deepEqual(await bench.run(attempt).ended, completed('[1,2]'));
  },
  'does what a workflow asks for inside the system with its entries, and tells what was refused': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = withSystem(bench.attempt('a', insideWork()));
    assert.deepEqual(await bench.run(attempt).ended, done);
    assert.deepEqual(namesOf(attempt.effects), everythingOnce);
    assert.deepEqual(attempt.mail.items, []);
  },
  'does all of that once when the link breaks before or after any message': async (open) => {
    await using bench = await Bench.open(open);
    const { cutter } = bench.harness;
    if (!cutter) return;
    cutter.arm({ message: Number.POSITIVE_INFINITY, when: 'before' });
    assert.deepEqual(await bench.runToEnd(withSystem(bench.attempt('a', insideWork('cold')))), done);
    const { messages } = cutter;
    assert.ok(messages >= 3, `${messages} messages`);
    for (let number = 1; number <= messages; number += 1)
      for (const when of ['before', 'after'] as const) {
        const where = `${when} message ${number}`;
        const attempt = withSystem(bench.attempt('a', insideWork(where)));
        cutter.arm({ message: number, when });
        assert.deepEqual(await bench.runToEnd(attempt), done, where);
        cutter.disarm();
        assert.deepEqual(namesOf(attempt.effects), everythingOnce, where);
        assert.deepEqual(attempt.mail.items, [], where);
      }
  },
  'gives back a job that only sleeps for long, with the time at which it goes on': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', sleepingLong);
    const end = await bench.run(attempt).ended;
    const [first] = attempt.entries;
    assert.ok(first?.kind === 'started');
    const outcome = { type: 'suspended', wakeAt: first.at + 864_000_000, seen: 0 } as const;
    assert.deepEqual([end, attempt.outcome], [{ type: 'finished', outcome }, outcome]);
  },
};
