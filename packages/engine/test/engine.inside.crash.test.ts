/**
 * A workflow with messages, children and requests in flight together is cut at every append: once before the append is
 * stored, once after it is and before anybody hears of it. It goes on in a fresh run: the same result, and everything that it
 * does inside the system is done once (I7).
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorRecord } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { MemoryInbox, MemoryJournal, type Appended, type JournalSink, type OutwardEffect } from '../src/index.ts';
import { EchoPerformer, openTestEngine, resultOf, type TestEngine } from './fixtures/test-engine.ts';

const modules = {
  busy: workflowModule(`
    const start = (job, workflow) =>
      call({ type: 'start', job, workflow, input: { of: workflow }, attemptsMax: 1, detached: false });
    const receive = (types) => call({ type: 'receive', types });
    const a = start(null, 'a'), taken = start('taken', 'b'), c = start('own', 'c');
    const fetched = ['1', '2', '3'].map((name) => get('http://site/' + name));
    const late = receive(['late']);
    emit({ type: 'respond', value: 'early' });
    const child = (await a).started.job;
    const first = await receive(['approved']);
    await call({ type: 'send', job: 'other', messageType: 'hello', data: first.message.data });
    const refusal = (await taken).error.code;
    const ends = await Promise.all([child, (await c).started.job, child].map((job) => call({ type: 'join', job })));
    const bodies = (await Promise.all(fetched)).map((event) => event.fetched.body.utf8);
    return { child, first: first.message.data, late: (await late).message.data, refusal, bodies,
      ends: ends.map(({ joined }) => joined.result) };`),
};

const expected = {
  child: 'j1:1:1',
  first: 1,
  late: 2,
  refusal: 'JOB_EXISTS',
  bodies: ['http://site/1', 'http://site/2', 'http://site/3'],
  ends: ['a', 'c', 'a'],
};

/** What is there besides the journal: the inbox, and what became of effects. It outlives the runs. */
class System {
  readonly inbox = new MemoryInbox();
  readonly done: string[] = [];

  constructor() {
    this.inbox.put({ type: 'message', from: null, messageType: 'unwanted', data: '0' });
    this.inbox.put({ type: 'message', from: null, messageType: 'approved', data: '1' });
  }

  /** A child is over as soon as it was started; a message that is sent brings one back. */
  readonly apply = (effect: OutwardEffect): ErrorRecord | undefined => {
    if (effect.type === 'start' && effect.job === 'taken') return { code: 'JOB_EXISTS', message: 'taken' };
    this.done.push(effect.type === 'respond' ? `respond ${effect.value}` : `${effect.type} ${effect.job}`);
    if (effect.type === 'start')
      this.inbox.put({
        type: 'child',
        job: effect.job,
        outcome: { type: 'completed', result: JSON.stringify(effect.workflow) },
      });
    if (effect.type === 'send') this.inbox.put({ type: 'message', from: 'other', messageType: 'late', data: '2' });
    return undefined;
  };

  journal(before?: MemoryJournal): MemoryJournal {
    return new MemoryJournal(before?.entries, { inbox: this.inbox, apply: this.apply });
  }

  check(journal: MemoryJournal, where: string): void {
    assert.deepEqual(
      this.done.toSorted(),
      ['respond "early"', 'send other', 'start j1:1:1', 'start own'],
      `each effect once, ${where}`,
    );
    assert.deepEqual(
      this.inbox.items.map(({ body }) => body.type === 'message' && body.messageType),
      ['unwanted'],
      `all that was told is consumed, ${where}`,
    );
    assert.equal(journal.entries.at(-1)?.kind, 'completed');
  }
}

/** Passes on `count` calls; the next one is lost before it is stored, or after it. Nothing is answered from then on. */
const cutting = (
  sink: JournalSink,
  { count, when }: { readonly count: number; readonly when: 'before' | 'after' },
): { readonly sink: JournalSink; readonly cut: Promise<void> } => {
  let calls = 0;
  const cut = Promise.withResolvers<void>();
  const lost = async (store: () => Promise<unknown>): Promise<never> => {
    if (calls === count + 1 && when === 'after') await store();
    cut.resolve();
    return Promise.withResolvers<never>().promise;
  };
  const pass = <T>(store: () => Promise<T>): Promise<T> => {
    calls += 1;
    return calls > count ? lost(store) : store();
  };
  return {
    sink: {
      append: (entries, extras): Promise<Appended> => pass(() => sink.append(entries, extras)),
      finish: (entries, outcome, extras) => pass(() => sink.finish(entries, outcome, extras)),
    },
    cut: cut.promise,
  };
};

/** Runs in `engine` until call number `count + 1` of the sink. @returns whether the run came to its end before */
const runUntil = async (
  engine: TestEngine,
  journal: MemoryJournal,
  cut: { readonly count: number; readonly when: 'before' | 'after' },
): Promise<boolean> => {
  const cutter = cutting(journal.hold(), cut);
  const { run } = engine.start('busy', { journal, ports: { sink: cutter.sink } });
  const end = await Promise.race([run.ended, cutter.cut]);
  run.drop();
  await run.ended;
  return end !== undefined;
};

describe('a crash of a workflow with messages and children', () => {
  for (const when of ['before', 'after'] as const)
    it(`${when} any of its appends is stored changes nothing of the result, and nothing is done twice`, async () => {
      await using engine = await openTestEngine({ modules, performer: new EchoPerformer() });
      let isOver = false;
      let cuts = 0;
      for (; !isOver; cuts += 1) {
        const system = new System();
        const journal = system.journal();
        isOver = await runUntil(engine, journal, { count: cuts, when });
        const where = `cut ${when} append ${cuts + 1}`;
        const last = isOver || journal.outcome ? journal : system.journal(journal);
        if (last !== journal) {
          const { end } = await engine.finish('busy', { journal: last });
          assert.deepEqual(resultOf(end), expected, where);
        }
        system.check(last, where);
      }
      assert.ok(cuts > 5, `${cuts} cuts`);
    });

  it('after each single append, again and again, still ends in the same result', async () => {
    await using engine = await openTestEngine({ modules, performer: new EchoPerformer() });
    const system = new System();
    let journal = system.journal();
    let crashes = 0;
    while (!journal.outcome) {
      if (crashes > 0) journal = system.journal(journal);
      await runUntil(engine, journal, { count: 0, when: 'after' });
      crashes += 1;
    }
    assert.deepEqual(resultOf({ type: 'finished', outcome: journal.outcome }), expected);
    system.check(journal, 'after the last crash');
    assert.ok(crashes > 5, `${crashes} crashes`);
  });
});

describe('a workflow that rests', () => {
  const waiting = {
    sleepy: workflowModule("await sleep(3_600_000); return 'awake';"),
    patient: workflowModule("return (await call({ type: 'receive', types: ['go'] })).message.data;"),
  };

  it('is given back when it only sleeps, and goes on from its journal when its time has come', async () => {
    await using engine = await openTestEngine({ modules: waiting, suspendAfterMs: 1_000 });
    const { end, entries } = await engine.finish('sleepy');
    assert.ok(end.type === 'finished' && end.outcome.type === 'suspended');
    const wokenAt = entries[0]?.kind === 'started' ? entries[0].at + 3_600_000 : 0;
    assert.deepEqual(end.outcome, { type: 'suspended', wakeAt: wokenAt, seen: 0 });
    const woken = entries.map((entry) => (entry.kind === 'started' ? { ...entry, at: entry.at - 3_600_000 } : entry));
    const { end: last } = await engine.finish('sleepy', { journal: new MemoryJournal(woken) });
    assert.equal(resultOf(last), 'awake');
  });

  it('is given back when no message comes, and goes on with the one that wakes it', async () => {
    await using engine = await openTestEngine({ modules: waiting, suspendAfterMs: 1 });
    const { end, entries } = await engine.finish('patient');
    assert.deepEqual(end, { type: 'finished', outcome: { type: 'suspended', wakeAt: null, seen: 0 } });
    const journal = new MemoryJournal(entries);
    journal.inbox.put({ type: 'message', from: null, messageType: 'go', data: '5' });
    assert.equal(resultOf((await engine.finish('patient', { journal })).end), 5);
  });

  it('hears a message while it waits in memory', async () => {
    await using engine = await openTestEngine({ modules: waiting });
    const { run, journal } = engine.start('patient');
    journal.inbox.put({ type: 'message', from: 'j0', messageType: 'stay', data: '4' });
    journal.inbox.put({ type: 'message', from: 'j0', messageType: 'go', data: '6' });
    assert.equal(resultOf(await run.ended), 6);
    assert.deepEqual(
      journal.inbox.items.map(({ number }) => number),
      [1],
    );
  });
});
