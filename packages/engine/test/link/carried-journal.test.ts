import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeEntry, linkLimits, mvmError, snapshotPieces, type JournalEntry, type MvmError } from '@mvm-ci/protocol';
import { CarriedJournal } from '../../src/link/carried-journal.ts';

const entry: JournalEntry = { kind: 'intents', intents: [] };
const snapshot = { entries: 2, runtime: 'r', imageHash: 'ab'.repeat(32), bytes: new Uint8Array(9) };

/** A journal that comes, with a clock that a test lets pass. */
class Coming {
  asked = 0;
  readonly silences: MvmError[] = [];
  readonly journal: CarriedJournal;
  readonly #timers = new Set<() => void>();

  constructor() {
    this.journal = new CarriedJournal({
      clock: {
        after: (ms, fire) => {
          assert.equal(ms, linkLimits.holderSilenceMsMax);
          this.#timers.add(fire);
          return { cancel: () => this.#timers.delete(fire) };
        },
      },
      onWanted: () => (this.asked += 1),
      onSilent: (error) => this.silences.push(error),
    });
  }

  /** The longest silence passes. */
  pass(): void {
    for (const fire of this.#timers) fire();
  }

  /** The last of three entries came, behind a snapshot of two. */
  tail(): ReturnType<CarriedJournal['complete']> {
    for (const piece of snapshotPieces(snapshot)) this.journal.takeSnapshot(piece);
    this.journal.takeEntries(encodeEntry(entry));
    return this.journal.complete({ type: 'ready', entries: 1, leftOut: 2 });
  }
}

describe('a journal that comes over a link', () => {
  it('is asked for what was left out once, however often it is needed', async () => {
    const coming = new Coming();
    const { journal, leftOut, snapshot: came } = coming.tail();
    assert.deepEqual([journal, came, leftOut?.entries, coming.asked], [[entry], snapshot, 2, 0]);
    assert.ok(leftOut);
    const loads = [leftOut.load(), leftOut.load()];
    coming.journal.takeLeftOut({ bytes: encodeEntry(entry), isLast: false });
    coming.journal.takeLeftOut({ bytes: new Uint8Array(), isLast: true });
    assert.deepEqual(await Promise.all(loads), [[entry], [entry]]);
    await leftOut.load();
    assert.equal(coming.asked, 1);
  });

  it('is given up when its holder falls silent, before it begins and while the rest is wanted, and not in between', async () => {
    const waiting = new Coming();
    waiting.journal.wait();
    waiting.pass();
    assert.equal(waiting.silences[0]?.code, 'DEADLINE_EXCEEDED');

    const coming = new Coming();
    coming.journal.wait();
    const { leftOut } = coming.tail();
    coming.pass();
    assert.equal(coming.silences.length, 0);
    const load = leftOut?.load();
    coming.pass();
    assert.equal(coming.silences.length, 1);
    coming.journal.fail(mvmError('CONNECTION_LOST', 'gone'));
    await assert.rejects(async () => load, { code: 'CONNECTION_LOST' });
  });

  it('is not taken when something else comes than was announced', () => {
    const { journal } = new Coming();
    journal.takeEntries(encodeEntry(entry));
    assert.throws(() => journal.complete({ type: 'ready', entries: 2 }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => journal.complete({ type: 'ready', entries: 1, leftOut: 1 }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => journal.takeLeftOut({ bytes: new Uint8Array(), isLast: true }), { code: 'INVALID_ARGUMENT' });
    for (const piece of snapshotPieces(snapshot)) journal.takeSnapshot(piece);
    const again = snapshotPieces(snapshot);
    assert.throws(() => again.forEach((piece) => journal.takeSnapshot(piece)), { code: 'INVALID_ARGUMENT' });
  });
});
