/**
 * A workflow with several effects in flight at once is cut at every entry of its journal, and between every request and
 * its answer, and goes on in a fresh engine: the same result, and nothing that was answered is asked again.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry } from '@mvm-ci/protocol';
import { MemoryJournal, type Appended } from '../src/index.ts';
import { workflowModule } from '@mvm-ci/testkit';
import { EchoPerformer, openTestEngine, resultOf, type TestEngine } from './fixtures/test-engine.ts';

const modules = {
  parallel: workflowModule(`
    emit({ type: 'log', level: 'info', text: 'begin ' + Date.now() + Math.random() });
    const bodyOf = (event) => event.fetched.body.utf8;
    const branch = async (name) => {
      const first = await get('http://site/' + name + '/1');
      await sleep(1);
      const second = await get('http://site/' + name + '/2', { method: 'PUT' });
      emit({ type: 'progress', percent: 50, text: name });
      return [bodyOf(first), bodyOf(second)];
    };
    const branches = await Promise.all(['a', 'b', 'c'].map(branch));
    const last = await get('http://site/last', { method: 'POST', idempotent: true });
    return { branches: branches.flat().sort(), last: bodyOf(last) };`),
};

/** The keys of calls that have an answer in `entries`. */
const answeredKeys = (entries: readonly JournalEntry[]): ReadonlySet<string> =>
  new Set(entries.filter((entry) => entry.kind === 'answered').map(({ call }) => `j1:1:${call}`));

/** A journal's shape: activations and ends, whatever order the answers came in. */
const checkShape = (entries: readonly JournalEntry[]): void => {
  assert.equal(entries[0]?.kind, 'started');
  assert.deepEqual(
    entries.slice(-2).map(({ kind }) => kind),
    ['intents', 'completed'],
  );
  const calls = entries
    .flatMap((entry) => (entry.kind === 'intents' ? entry.intents : []))
    .filter((intent) => 'call' in intent);
  const answers = entries.filter((entry) => entry.kind === 'answered').map(({ call }) => call);
  assert.equal(calls.length, 10);
  assert.deepEqual(
    answers.toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    'each call is answered once',
  );
};

interface Uncut {
  readonly entries: readonly JournalEntry[];
  readonly result: unknown;
}

/** Goes on in `engine` with the journal's first `cut` entries. */
const resumeAt = async (
  engine: TestEngine,
  performer: EchoPerformer,
  { entries, result, cut }: Uncut & { readonly cut: number },
): Promise<void> => {
  performer.sent.length = 0;
  const journal = new MemoryJournal(entries.slice(0, cut));
  const answered = answeredKeys(journal.entries);
  const { end } = await engine.finish('parallel', { journal });
  assert.deepEqual(resultOf(end), result, `cut at ${cut}`);
  checkShape(journal.entries);
  assert.deepEqual(journal.entries.slice(0, cut), entries.slice(0, cut), 'what was durable stays as it was');
  assert.deepEqual(
    performer.sent.filter((key) => answered.has(key)),
    [],
    `no answered effect again, cut at ${cut}`,
  );
};

describe('a crash', () => {
  const complete = async (engine: TestEngine): Promise<{ result: unknown; entries: readonly JournalEntry[] }> => {
    const { end, entries } = await engine.finish('parallel');
    return { result: resultOf(end), entries };
  };

  it('at any entry of the journal changes nothing of the result and repeats no answered effect', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules, performer });
    const { result, entries } = await complete(engine);
    checkShape(entries);
    assert.equal(performer.sent.length, 7);
    await using resumed = await openTestEngine({ modules, performer });
    // Cut 0 is a job that nobody has begun; the last cut lacks only the finish.
    for (let cut = 0; cut < entries.length; cut += 1) await resumeAt(resumed, performer, { entries, result, cut });
  });

  it('again and again, after each new entry, still ends in the same result', async () => {
    const modulesAndNothing = { modules, performer: new EchoPerformer() };
    await using undisturbed = await openTestEngine(modulesAndNothing);
    const { result } = await complete(undisturbed);
    await using engine = await openTestEngine(modulesAndNothing);
    let journal = new MemoryJournal();
    let rounds = 0;
    for (let isOver = false; !isOver; rounds += 1) {
      const { end, entries } = await crashAfter(engine, journal, journal.entries.length + 1);
      isOver = end;
      journal = new MemoryJournal(entries);
    }
    const { end } = await engine.finish('parallel', { journal });
    assert.deepEqual(resultOf(end), result);
    assert.ok(rounds > 10, `${rounds} crashes`);
  });
});

/** Runs until the journal holds `length` entries, and drops the run: everything after that is lost. */
const crashAfter = async (
  engine: TestEngine,
  before: MemoryJournal,
  length: number,
): Promise<{ readonly end: boolean; readonly entries: readonly JournalEntry[] }> => {
  const journal = new MemoryJournal(before.entries);
  const held = journal.hold();
  const full = Promise.withResolvers<void>();
  const cut = async (entries: readonly JournalEntry[]): Promise<Appended> => {
    const room = length - journal.entries.length;
    const done = await held.append(entries.slice(0, room));
    if (journal.entries.length < length) return done;
    full.resolve();
    // What the dead process would have waited for never comes.
    return Promise.withResolvers<Appended>().promise;
  };
  const { run } = engine.start('parallel', {
    journal: before,
    ports: { sink: { append: cut, finish: async (entries) => void (await cut(entries)) } },
  });
  await Promise.race([full.promise, run.ended]);
  run.drop();
  await run.ended;
  return { end: journal.entries.at(-1)?.kind === 'completed', entries: journal.entries };
};
