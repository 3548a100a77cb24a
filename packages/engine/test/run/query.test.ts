import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry } from '@mvm-ci/protocol';
import { coreModule, coreWasm, moduleShelf, workflowModule } from '@mvm-ci/testkit';
import {
  MemoryJournal,
  openEngine,
  systemClock,
  systemRandom,
  type Engine,
  type Replayer,
  type Snapshot,
} from '../../src/index.ts';
import { EchoPerformer } from '../fixtures/test-engine.ts';

const asks = (body: string): string => `
  let steps = 0;
  globalThis.mvm_query = (text) => { const { name, args } = JSON.parse(text); ${body} };
  for (let i = 0; i < 3; i++) { await get('http://site/' + i); steps += 1; }
  return steps;`;
const shelf = moduleShelf({
  counts: workflowModule(asks('steps += 100; return JSON.stringify({ value: { name, args, steps: steps - 100 } });')),
  many: workflowModule(`
    let steps = 0;
    globalThis.mvm_query = () => JSON.stringify({ value: steps });
    for (let i = 0; i < 600; i++) { await get('http://site/' + i); steps += 1; }
    return steps;`),
  other: workflowModule("await get('http://elsewhere/'); return 1;"),
  mute: workflowModule("for (let i = 0; i < 3; i++) await get('http://site/' + i); return 3;"),
  large: workflowModule(asks("return JSON.stringify({ value: 'x'.repeat(2_000_000) });")),
  breaks: workflowModule(asks("throw new Error('not even an answer');")),
  core: coreModule(coreWasm()),
});
type Name = 'counts' | 'many' | 'other' | 'mute' | 'large' | 'breaks' | 'core';

interface Bench extends AsyncDisposable {
  readonly performer: EchoPerformer;
  /** The journal of a run of this module. */
  run(name: Name, saveSnapshot?: (snapshot: Snapshot) => Promise<void>): Promise<readonly JournalEntry[]>;
  query(name: Name, journal: readonly JournalEntry[], snapshot?: Snapshot): Promise<unknown>;
}

const bench = async (): Promise<Bench> => {
  const performer = new EchoPerformer();
  const modules = (hash: string): Promise<Uint8Array> => shelf.source(hash);
  const engine: Engine & Replayer = await openEngine({
    modules,
    clock: systemClock,
    random: systemRandom,
    performer,
    threads: 1,
  });
  const attempt = (name: Name): { job: string; attempt: number; module: string; workflow: string } => ({
    job: 'j',
    attempt: 1,
    module: shelf.hashOf(name),
    workflow: 'main',
  });
  return {
    performer,
    run: async (name, saveSnapshot) => {
      const journal = new MemoryJournal();
      const ports = { sink: journal.hold(), mayStartEffect: () => true, ...(saveSnapshot && { saveSnapshot }) };
      await engine.run({ ...attempt(name), input: '{}', journal: [] }, ports).ended;
      return journal.entries;
    },
    query: async (name, journal, snapshot) => {
      const request = { ...attempt(name), journal, name: 'steps', args: '[1]', snapshot };
      const answer: unknown = JSON.parse(await engine.query(request));
      return answer;
    },
    [Symbol.asyncDispose]: () => engine.stop(),
  };
};

describe('a query of an attempt', { timeout: 60_000 }, () => {
  it('is answered from a snapshot without the steps behind it, and from the journal when the snapshot does not fit', async () => {
    await using asked = await bench();
    const taken = Promise.withResolvers<Snapshot>();
    const save = (snapshot: Snapshot): Promise<void> => Promise.resolve(taken.resolve(snapshot));
    const journal = await asked.run('many', save);
    const snapshot = await taken.promise;
    // What is recorded here, the guest never asked for: whoever takes the steps again sees it.
    const changed = journal.map((entry, index) => (index === 1 ? { ...entry, intents: [] } : entry));
    assert.equal(await asked.query('many', changed, snapshot), 600);
    const other = { ...snapshot, imageHash: '0'.repeat(64) };
    assert.equal(await asked.query('many', journal, other), 600);
    for (const unfit of [undefined, other, { ...snapshot, runtime: 'other' }])
      await assert.rejects(asked.query('many', changed, unfit), { code: 'NONDETERMINISM' });
  });

  it('sees the last recorded step of the journal, whatever it is cut to, and performs nothing', async () => {
    await using engine = await bench();
    const journal = await engine.run('counts');
    const sent = engine.performer.sent.length;
    const steps: number[] = [];
    for (const [length, entry] of journal.entries()) if (entry.kind === 'intents') steps.push(length + 1);
    for (const [known, length] of steps.entries())
      for (const cut of [length, length + 1])
        assert.deepEqual(await engine.query('counts', journal.slice(0, cut)), {
          name: 'steps',
          args: [1],
          steps: known,
        });
    assert.equal(engine.performer.sent.length, sent);
  });

  it('is refused before the first step, of code without queries and of modules that are no scripts', async () => {
    await using engine = await bench();
    const journal = await engine.run('counts');
    const code = 'QUERY_NOT_FOUND';
    await assert.rejects(engine.query('counts', journal.slice(0, 1)), { code, message: /first step/ });
    await assert.rejects(engine.query('mute', journal), { code, message: /knew no queries/ });
    await assert.rejects(engine.query('core', journal), { code, message: /kind "core" has no queries/ });
  });

  it('fails with a journal that the code does not ask for, a damaged answer and one that is too long', async () => {
    await using engine = await bench();
    const journal = await engine.run('counts');
    await assert.rejects(engine.query('other', journal), { code: 'NONDETERMINISM' });
    await assert.rejects(engine.query('breaks', journal), { code: 'QUERY_FAILED', message: /not even an answer/ });
    await assert.rejects(engine.query('large', journal), { code: 'QUERY_FAILED', message: /1048576 bytes/ });
    assert.deepEqual(await engine.query('counts', journal), { name: 'steps', args: [1], steps: 3 });
  });
});
