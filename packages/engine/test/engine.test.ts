import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mvmError, type JournalEntry } from '@mvm-ci/protocol';
import { appended, MemoryJournal, type Appended, type JournalSink } from '../src/index.ts';
import { workflowModule } from '@mvm-ci/testkit';
import { EchoPerformer, failureOf, HeldPerformer, openTestEngine, resultOf } from './fixtures/test-engine.ts';

const modules = {
  one: workflowModule("const { fetched } = await get('http://site/one'); return fetched.status;"),
  key: workflowModule("await get('http://site/', { key: 'of the author' }); return 1;"),
  post: workflowModule(
    "const event = await get('http://site/', { method: 'POST' }); return event.error?.code ?? 'sent';",
  ),
  race: workflowModule(`
    get('http://site/slow');
    await sleep(1);
    abandon(1);
    return 'done';`),
  napper: workflowModule('for (let i = 0; i < 5; i++) await sleep(1); return Math.random();'),
  waiter: workflowModule("await get('http://site/held'); for (;;) await sleep(1);"),
  loop: workflowModule('[].indexOf.call({ length: 2 ** 53 - 1 }, 1);'),
  echo: workflowModule('return [input, job.job, job.attempt];'),
};

/** A sink whose appends become durable when the test says so. */
class SlowSink implements JournalSink {
  readonly entries: JournalEntry[] = [];
  readonly #waiting: PromiseWithResolvers<Appended>[] = [];
  #arrival = Promise.withResolvers<void>();

  append(entries: readonly JournalEntry[]): Promise<Appended> {
    this.entries.push(...entries);
    const waiting = Promise.withResolvers<Appended>();
    this.#waiting.push(waiting);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
    return waiting.promise;
  }

  finish(entries: readonly JournalEntry[]): Promise<void> {
    this.entries.push(...entries);
    return Promise.resolve();
  }

  async holds(count: number): Promise<void> {
    while (this.entries.length < count) await this.#arrival.promise;
  }

  sync(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve(appended);
  }

  refuse(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** Everything that is under way in this process has had its turn. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('an engine', () => {
  it('runs a workflow to its result and journals what happened', async () => {
    await using engine = await openTestEngine({ modules });
    const { end, entries } = await engine.finish('one');
    assert.equal(resultOf(end), 200);
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ['started', 'intents', 'answered', 'intents', 'completed'],
    );
  });

  it('tells the workflow its input, job and attempt', async () => {
    await using engine = await openTestEngine({ modules });
    const { end } = await engine.finish('echo', { job: 'j9', attempt: 3, input: { a: ['ü', null] } });
    assert.deepEqual(resultOf(end), [{ a: ['ü', null] }, 'j9', 3]);
  });

  it('sends each request with a key of job, attempt and call, unless the author has one', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules, performer });
    await engine.finish('one', { job: 'j7', attempt: 2 });
    await engine.finish('key');
    assert.deepEqual(performer.sent, ['j7:2:1', 'of the author']);
  });

  it('starts no request before its intent is durable (I4)', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const sink = new SlowSink();
    const { run } = engine.start('one', { ports: { sink } });
    await sink.holds(2);
    await turns();
    assert.deepEqual(performer.sent, []);
    sink.sync();
    assert.equal((await run.ended).type, 'finished');
    assert.deepEqual(performer.sent, ['j1:1:1']);
  });

  it('starts no request when the lease is over, and drops the run', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const { run, journal } = engine.start('one', { ports: { mayStartEffect: () => Promise.resolve(false) } });
    assert.deepEqual(await run.ended, { type: 'dropped' });
    assert.deepEqual(performer.sent, []);
    assert.equal(journal.outcome, undefined);
  });

  it('starts a request when the lease was renewed after a wait', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const renewed = Promise.withResolvers<boolean>();
    const asked = Promise.withResolvers<void>();
    const mayStartEffect = (): Promise<boolean> => {
      asked.resolve();
      return renewed.promise;
    };
    const { run } = engine.start('one', { ports: { mayStartEffect } });
    await asked.promise;
    assert.deepEqual(performer.sent, []);
    renewed.resolve(true);
    assert.equal((await run.ended).type, 'finished');
  });

  it('answers a request that may not be sent again with OUTCOME_UNKNOWN when its answer was lost', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const { entries } = await engine.finish('post');
    const journal = new MemoryJournal(entries.slice(0, 2));
    const { end } = await engine.finish('post', { journal });
    assert.equal(resultOf(end), 'OUTCOME_UNKNOWN');
    assert.equal(performer.sent.length, 1, 'it was not sent again');
  });

  it('aborts a request that the workflow abandons', async () => {
    const performer = new HeldPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const { end, entries } = await engine.finish('race');
    assert.equal(resultOf(end), 'done');
    assert.deepEqual(entries.filter(({ kind }) => kind === 'answered').length, 1, 'the abandoned call has no answer');
  });

  it('stops with NONDETERMINISM when the code reads differently on replay, naming the entry (I6)', async () => {
    const before = workflowModule("await get('http://site/old'); await sleep(1); return 1;");
    const after = workflowModule("await get('http://site/new'); await sleep(1); return 1;");
    await using engine = await openTestEngine({ modules: { before, after } });
    const { entries } = await engine.finish('before');
    // The journal of one code under the name of another: what a module that is not pinned would meet.
    const started = (await engine.finish('after')).entries[0];
    assert.ok(started);
    const { end } = await engine.finish('after', { journal: new MemoryJournal([started, ...entries.slice(1, 3)]) });
    const failure = failureOf(end);
    assert.equal(failure?.code, 'NONDETERMINISM');
    assert.match(failure.message, /^entry 1: .*http:\/\/site\/old.*http:\/\/site\/new/);
    assert.equal(failure.retryable, false);
  });

  it('fails a job whose workflow or module does not exist', async () => {
    await using engine = await openTestEngine({ modules });
    assert.equal(failureOf((await engine.finish('one', { workflow: 'other' })).end)?.code, 'WORKFLOW_NOT_FOUND');
    assert.equal((await engine.finish('nothing')).end.type, 'finished');
  });
});

describe('the end from outside', () => {
  it('cancels: requests are aborted and the sink is told', async () => {
    const performer = new HeldPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const { run, journal } = engine.start('waiter');
    await performer.started('j1:1:1');
    run.cancel('no longer needed');
    run.cancel('twice');
    await run.ended;
    assert.deepEqual(journal.outcome, { type: 'cancelled' });
    assert.deepEqual(performer.aborted, ['j1:1:1']);
  });

  it('releases: the job is given back and goes on elsewhere with what was answered', async () => {
    const performer = new HeldPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const { run, journal } = engine.start('one');
    await performer.started('j1:1:1');
    run.release();
    await run.ended;
    assert.deepEqual(journal.outcome, { type: 'released' });
    await using other = await openTestEngine({ modules });
    assert.equal(resultOf((await other.finish('one', { journal })).end), 200);
  });

  it('releases and cancels a run that has not begun', async () => {
    await using engine = await openTestEngine({ modules });
    const released = engine.start('one');
    released.run.release();
    await released.run.ended;
    assert.deepEqual([released.journal.outcome, released.journal.entries], [{ type: 'released' }, []]);
    const cancelled = engine.start('echo');
    cancelled.run.cancel('too late');
    await cancelled.run.ended;
    assert.deepEqual(cancelled.journal.outcome, { type: 'cancelled' });
  });

  it('drops: nothing more is said', async () => {
    const performer = new HeldPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const { run, journal } = engine.start('one');
    await performer.started('j1:1:1');
    const { length } = journal.entries;
    run.drop();
    assert.deepEqual(await run.ended, { type: 'dropped' });
    performer.answer('j1:1:1');
    await turns();
    assert.equal(journal.entries.length, length);
    assert.equal(journal.outcome, undefined);
  });

  it('drops when the sink refuses an append, and starts nothing', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const sink = new SlowSink();
    const { run } = engine.start('one', { ports: { sink } });
    await sink.holds(2);
    sink.refuse(mvmError('STALE_LEASE', 'another worker has the job'));
    assert.deepEqual(await run.ended, { type: 'dropped' });
    assert.deepEqual(performer.sent, []);
  });

  it('drops every run when the engine stops, once and again', async () => {
    const engine = await openTestEngine({ modules, performer: new HeldPerformer() });
    const runs = ['one', 'waiter', 'napper', 'loop'].map((name) => engine.start(name).run.ended);
    await engine.stop();
    await engine.stop();
    for (const end of await Promise.all(runs)) assert.deepEqual(end, { type: 'dropped' });
  });
});

describe('a guest thread that is lost', () => {
  it('takes only the job that hung along: the others go on where they were, with their requests', async () => {
    const performer = new HeldPerformer();
    const limits = { stepMsMax: 400, stepGraceMs: 200 };
    await using engine = await openTestEngine({ modules, performer, limits });
    const held = engine.start('one', { job: 'held' });
    await performer.started('held:1:1');
    const nappers = Array.from({ length: 3 }, (_, index) => engine.finish('napper', { job: `n${index}` }));
    const hung = await engine.finish('loop', { job: 'hung' });
    assert.equal(failureOf(hung.end)?.code, 'STEP_TIMEOUT');
    assert.deepEqual(performer.aborted, [], 'the request of another job was not touched');
    performer.answer('held:1:1');
    const end = await held.run.ended;
    assert.equal(resultOf(end), 200);
    for (const { end: napped } of await Promise.all(nappers)) assert.equal(typeof resultOf(napped), 'number');
  });
});
