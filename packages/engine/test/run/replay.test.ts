import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { workflowModule, moduleShelf } from '@mvm-ci/testkit';
import type { JournalEntry, ModuleFile } from '@mvm-ci/protocol';
import { MemoryJournal, openEngine, systemClock, systemRandom, type ReplayReport } from '../../src/index.ts';
import { EchoPerformer } from '../fixtures/test-engine.ts';

const fetches = (count: number, more = ''): ModuleFile =>
  workflowModule(`
    emit({ type: 'log', level: 'info', text: 'begins' });
    for (let i = 0; i < ${count}; i++) await get('http://site/' + i);
    ${more} return Math.random();`);

const modules = {
  three: fetches(3),
  four: fetches(4),
  talks: fetches(3, `emit({ type: 'log', level: 'warn', text: 'ends' });`),
  throws: workflowModule("await sleep(1); throw new RangeError('as it was told');"),
  stuck: workflowModule('await sleep(1); await new Promise(() => {});'),
  traps: workflowModule("await sleep(1); emit({ type: 'nothing of ours' }); return 1;"),
  long: fetches(5_000),
};
type Name = keyof typeof modules;

/** An engine that counts what it performs, with a shelf of modules. */
const bench = async (): Promise<Bench> => {
  const shelf = moduleShelf(modules);
  const performer = new EchoPerformer();
  const engine = await openEngine({
    modules: (hash) => shelf.source(hash),
    clock: systemClock,
    random: systemRandom,
    performer,
    threads: 1,
  });
  const run = async (name: Name): Promise<readonly JournalEntry[]> => {
    const journal = new MemoryJournal();
    const request = { job: 'j', attempt: 1, module: shelf.hashOf(name), workflow: 'main', input: '{}', journal: [] };
    await engine.run(request, { sink: journal.hold(), mayStartEffect: () => true }).ended;
    return journal.entries;
  };
  const replay: Bench['replay'] = (name, journal, workflow = 'main') =>
    engine.replay({ job: 'j', attempt: 1, module: shelf.hashOf(name), workflow, journal });
  return { run, replay, performer, [Symbol.asyncDispose]: () => engine.stop() };
};

interface Bench extends AsyncDisposable {
  readonly performer: EchoPerformer;
  run(name: Name): Promise<readonly JournalEntry[]>;
  replay(name: Name, journal: readonly JournalEntry[], workflow?: string): Promise<ReplayReport>;
}

describe('a replay for its own sake', { timeout: 60_000 }, () => {
  it('takes all steps of a journal again, performs nothing, and gives back what was logged', async () => {
    await using engine = await bench();
    const journal = await engine.run('three');
    const sent = engine.performer.sent.length;
    const report = await engine.replay('three', journal);
    assert.deepEqual(
      [report.compatible, report.entries, report.steps, report.logs.map(({ seq, level, text }) => [seq, level, text])],
      [true, journal.length, 4, [[1, 'info', 'begins']]],
    );
    assert.equal(engine.performer.sent.length, sent);
  });

  it('finds a module with other code compatible with a journal that has not come so far', async () => {
    await using engine = await bench();
    const journal = await engine.run('three');
    for (const length of [0, 1, 2, 3, 7]) {
      const report = await engine.replay('four', journal.slice(0, length));
      assert.deepEqual([report.compatible, report.entries], [true, length]);
    }
  });

  it('names the entry, what it says, and what the other module asked for', async () => {
    await using engine = await bench();
    const journal = await engine.run('three');
    const report = await engine.replay('four', journal);
    assert.equal(report.compatible, false);
    assert.equal(report.divergence?.entry, 7);
    assert.match(report.divergence?.recorded ?? '', /^complete 0\./);
    assert.match(report.divergence?.asked ?? '', /^fetch #4 GET http:\/\/site\/3/);
    assert.equal(report.steps, 3);
  });

  it('shows what the diverging step logged', async () => {
    await using engine = await bench();
    const { logs } = await engine.replay('talks', await engine.run('three'));
    assert.deepEqual(
      logs.map(({ seq, text }) => [seq, text]),
      [
        [1, 'begins'],
        [7, 'ends'],
      ],
    );
  });

  it('finds attempts that failed compatible with the code that failed, however that was', async () => {
    await using engine = await bench();
    for (const name of ['throws', 'stuck', 'traps'] as const) {
      const journal = await engine.run(name);
      assert.equal(journal.at(-1)?.kind, 'failed', name);
      const { compatible, failure } = await engine.replay(name, journal);
      assert.deepEqual([name, compatible, failure], [name, true, undefined]);
    }
  });

  it('tells why the module could not go on, when that is not recorded', async () => {
    await using engine = await bench();
    const journal = await engine.run('stuck');
    const report = await engine.replay('traps', journal.slice(0, 3));
    assert.deepEqual([report.compatible, report.failure?.code], [false, 'GUEST_PROTOCOL']);
  });

  it('finds the first entry to differ when the module has another runtime, or lacks the workflow', async () => {
    await using engine = await bench();
    const [started, ...rest] = await engine.run('three');
    assert.ok(started?.kind === 'started');
    const other = await engine.replay('three', [{ ...started, runtime: 'quickjs-ng/0.1.0' }, ...rest]);
    assert.deepEqual([other.compatible, other.divergence?.entry], [false, 0]);
    assert.equal(other.divergence?.recorded, 'runtime quickjs-ng/0.1.0');
    const lacking = await engine.replay('three', [{ ...started, workflow: 'gone' }, ...rest], 'gone');
    assert.equal(lacking.divergence?.recorded, 'workflow gone');
  });

  it('refuses a journal of another job', async () => {
    await using engine = await bench();
    const [started, ...rest] = await engine.run('three');
    assert.ok(started?.kind === 'started');
    const { failure } = await engine.replay('three', [{ ...started, job: 'another' }, ...rest]);
    assert.equal(failure?.code, 'JOURNAL_CORRUPT');
  });

  it('feeds a long journal in pieces', async () => {
    await using engine = await bench();
    const journal = await engine.run('long');
    const { compatible, steps } = await engine.replay('long', journal);
    assert.deepEqual([compatible, steps], [true, 5_001]);
  });
});
