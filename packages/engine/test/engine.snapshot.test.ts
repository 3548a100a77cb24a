import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { workflowModule } from '@mvm-ci/testkit';
import { MemoryJournal, type JournalSink, type RunEnd, type Snapshot } from '../src/index.ts';
import { mvmError, type JournalEntry } from '@mvm-ci/protocol';
import { failureOf, openTestEngine, resultOf, type TestEngine } from './fixtures/test-engine.ts';

const requests = 1_100;
const modules = {
  collector: workflowModule(`
    const drawn = [];
    for (let call = 1; call <= ${requests}; call += 1) {
      await get('http://site/' + call);
      if (call % 100 === 0) drawn.push(Math.random());
    }
    return drawn;`),
};

/** A whole run, and what was saved of it on the way. */
interface Whole {
  readonly entries: readonly JournalEntry[];
  readonly result: unknown;
  readonly snapshots: readonly Snapshot[];
}

describe('a snapshot', () => {
  let engine: TestEngine;
  let whole: Whole;
  before(async () => {
    engine = await openTestEngine({ modules });
    const snapshots: Snapshot[] = [];
    const saveSnapshot = (snapshot: Snapshot): Promise<void> => {
      snapshots.push(snapshot);
      return Promise.resolve();
    };
    const { end, entries } = await engine.finish('collector', { ports: { saveSnapshot } });
    whole = { entries, result: resultOf(end), snapshots };
  });
  after(() => engine.stop());

  /** Goes on from the first `count` entries. */
  const goOn = async (count: number, snapshot?: Snapshot, change = (entries: JournalEntry[]) => entries) => {
    const journal = new MemoryJournal(change(whole.entries.slice(0, count)));
    return (await engine.finish('collector', { journal, ...(snapshot && { snapshot }) })).end;
  };
  /** The journal with another request in its first step than was made. */
  const changedAtItsBegin = ([started, first, ...rest]: JournalEntry[]): JournalEntry[] => {
    assert.ok(started && first?.kind === 'intents' && first.intents[0]?.type === 'fetch');
    return [started, { ...first, intents: [{ ...first.intents[0], url: 'http://site/other' }] }, ...rest];
  };
  const lastSnapshot = (): Snapshot => {
    const snapshot = whole.snapshots.at(-1);
    assert.ok(snapshot);
    return snapshot;
  };

  it('is saved after every 1,000 entries, right behind an intents entry', () => {
    assert.equal(whole.snapshots.length, 2);
    for (const [index, { entries }] of whole.snapshots.entries()) {
      assert.equal(whole.entries[entries - 1]?.kind, 'intents');
      assert.ok(entries >= 1_000 * (index + 1) && entries < 1_000 * (index + 1) + 100, String(entries));
    }
  });

  it('lets a run go on to the same result, wherever its journal ends behind it', async () => {
    const snapshot = lastSnapshot();
    for (const count of [0, 1, 2, 51].map((more) => snapshot.entries + more))
      assert.deepEqual(resultOf(await goOn(count, snapshot)), whole.result, `${count} entries`);
  });

  it('spares the steps behind it', async () => {
    const snapshot = lastSnapshot();
    const count = snapshot.entries + 9;
    assert.equal(failureOf(await goOn(count, undefined, changedAtItsBegin))?.code, 'NONDETERMINISM');
    assert.deepEqual(resultOf(await goOn(count, snapshot, changedAtItsBegin)), whole.result);
  });

  it('is ignored when it does not fit: the run replays', async () => {
    const snapshot = lastSnapshot();
    const count = snapshot.entries + 9;
    const unfit: Readonly<Record<string, Snapshot>> = {
      damaged: { ...snapshot, bytes: snapshot.bytes.map((byte, index) => (index === 99 ? byte ^ 1 : byte)) },
      'of another runtime': { ...snapshot, runtime: 'quickjs-ng/0.0.0' },
      'of another image': { ...snapshot, imageHash: 'ab'.repeat(32) },
      'behind no intents entry': { ...snapshot, entries: snapshot.entries + 1 },
      'from beyond the journal': { ...snapshot, entries: count + 1_000 },
    };
    for (const [what, wrong] of Object.entries(unfit)) {
      assert.deepEqual(resultOf(await goOn(count, wrong)), whole.result, what);
      const changed = failureOf(await goOn(count, wrong, changedAtItsBegin));
      assert.equal(changed?.code, 'NONDETERMINISM', `${what}: it must not be used`);
    }
  });

  describe('with a head', () => {
    /** Goes on from the snapshot and the entries behind it. @returns also how often the others were asked for */
    const goOnFromTail = async (count: number, snapshot: Snapshot): Promise<{ end: RunEnd; loads: number }> => {
      const journal = new MemoryJournal(whole.entries.slice(0, count));
      let loads = 0;
      const load = async (): Promise<readonly JournalEntry[]> => {
        loads += 1;
        return whole.entries.slice(0, count);
      };
      const leftOut = { entries: snapshot.entries, load };
      const { end, entries } = await engine.finish('collector', { journal, snapshot, leftOut });
      assert.deepEqual(entries.slice(0, count), whole.entries.slice(0, count));
      return { end, loads };
    };

    it('needs none of the entries before it', async () => {
      const snapshot = lastSnapshot();
      assert.ok(snapshot.head);
      for (const count of [0, 1, 2, 51].map((more) => snapshot.entries + more)) {
        const { end, loads } = await goOnFromTail(count, snapshot);
        assert.deepEqual(resultOf(end), whole.result, `${count} entries`);
        assert.equal(loads, 0);
      }
    });

    it('gives the same result wherever the run behind it is cut, from any snapshot', async () => {
      const cuts = Array.from({ length: 12 }, () => Math.random());
      for (const [index, cut] of cuts.entries()) {
        const snapshot = whole.snapshots[index % whole.snapshots.length];
        assert.ok(snapshot);
        const count = snapshot.entries + Math.floor(cut * (whole.entries.length - snapshot.entries + 1));
        const { end, loads } = await goOnFromTail(count, snapshot);
        assert.deepEqual([resultOf(end), loads], [whole.result, 0], `${count} entries, ${snapshot.entries} behind`);
      }
    });

    it('has them read when it does not fit, at the beginning or when its guest can not be made', async () => {
      const snapshot = lastSnapshot();
      const without = { ...snapshot, head: undefined };
      const unfit: Readonly<Record<string, Snapshot>> = {
        'without a head': without,
        'with a head that is none': { ...snapshot, head: new Uint8Array(9) },
        'with a head of other entries': { ...snapshot, head: whole.snapshots[0]?.head },
        'of another runtime': { ...snapshot, runtime: 'quickjs-ng/0.0.0' },
        'of another image': { ...snapshot, imageHash: 'ab'.repeat(32) },
        damaged: { ...snapshot, bytes: snapshot.bytes.map((byte, index) => (index === 99 ? byte ^ 1 : byte)) },
      };
      for (const [what, wrong] of Object.entries(unfit)) {
        const { end, loads } = await goOnFromTail(snapshot.entries + 9, wrong);
        assert.deepEqual(resultOf(end), whole.result, what);
        assert.equal(loads, 1, what);
      }
    });

    it('ends the run with the reason when they can not be read', async () => {
      const snapshot = { ...lastSnapshot(), imageHash: 'ab'.repeat(32) };
      const load = (): Promise<never> => Promise.reject(mvmError('JOURNAL_CORRUPT', 'damaged'));
      const journal = new MemoryJournal(whole.entries.slice(0, snapshot.entries));
      const { run } = engine.start('collector', { journal, snapshot, leftOut: { entries: snapshot.entries, load } });
      await assert.rejects(run.ended, { code: 'JOURNAL_CORRUPT' });
    });
  });

  for (const leave of ['release', 'handOver'] as const)
    it(`is left behind by a run that is given back (${leave}), and spares its next holder the steps`, async () => {
      const snapshots: Snapshot[] = [];
      const saveSnapshot = (snapshot: Snapshot): Promise<void> => {
        snapshots.push(snapshot);
        return Promise.resolve();
      };
      const journal = new MemoryJournal(whole.entries.slice(0, 201));
      const hold = journal.hold();
      let appends = 0;
      const given = Promise.withResolvers<void>();
      const sink: JournalSink = {
        ...hold,
        append: (entries, extras) => {
          appends += 1;
          if (appends === 50) given.resolve();
          return hold.append(entries, extras);
        },
      };
      const { run } = engine.start('collector', { journal, ports: { saveSnapshot, sink } });
      await given.promise;
      run[leave]?.();
      const end = await run.ended;
      assert.deepEqual(end, { type: 'finished', outcome: { type: 'released' } });
      const [snapshot] = snapshots;
      assert.ok(snapshot?.head && snapshot.entries > 201 && snapshot.entries <= journal.entries.length);
      assert.ok(journal.entries.length - snapshot.entries <= 1, 'at most an answer is behind it');
      const replayedBefore = engine.stats.replayedEntries;
      const next = await engine.finish('collector', { journal: new MemoryJournal(journal.entries), snapshot });
      assert.deepEqual(resultOf(next.end), whole.result);
      assert.equal(engine.stats.replayedEntries - replayedBefore, journal.entries.length - snapshot.entries);
    });

  it('that can not be kept harms nothing', async () => {
    const saveSnapshot = (): Promise<void> => Promise.reject(new Error('the disk is full'));
    const { end } = await engine.finish('collector', { job: 'j2', ports: { saveSnapshot } });
    assert.equal(end.type === 'finished' && end.outcome.type, 'completed');
  });
});
