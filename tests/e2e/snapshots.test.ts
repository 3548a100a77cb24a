/**
 * Stored snapshots through all layers: a control plane on disk and a worker with an engine of its own, both in this process so
 * that what is replayed can be counted. A crash: both stop without a word, and others start with what is on the disk.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, describe, it } from 'node:test';
import { openStandalone } from '@mvm-ci/control';
import { admitModule, openEngine, systemClock, type EffectPerformer } from '@mvm-ci/engine';
import {
  encodeModule,
  headSeal,
  journalAnswerSchema,
  mvmError,
  parseAs,
  snapshotSeal,
  type JournalAnswer,
  type CallRequest,
} from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { embeddedHost, startWorker } from '@mvm-ci/worker';

const systemRandom = {
  bytes: (length: number): Uint8Array => new Uint8Array(randomBytes(length)),
  unit: (): number => Math.random(),
};
const steps = 5_200;
/** Where the first process ends, with 2 entries for each step. */
const heldAt = 5_100;
const entriesMin = 10_000;
const body = `
  let drawn = 0;
  for (let call = 1; call <= ${steps}; call += 1) { await get('http://site/' + call); drawn += Math.random(); }
  return drawn;`;

const site = (answersBelow: number, onHeld: () => void = () => undefined): EffectPerformer => ({
  fetch: ({ intent: { call, url } }) => {
    const response = { status: 200, statusText: '', url, redirected: false, headers: [], body: new Uint8Array(2) };
    if (call < answersBelow) return Promise.resolve({ type: 'fetched', response });
    onHeld();
    return Promise.withResolvers<never>().promise;
  },
});

interface Life {
  readonly data: string;
  readonly performer: EffectPerformer;
  /** Before and after each snapshot is sent. */
  /** What the worker gets of a journal. @default what is stored */
  readonly alter?: (journal: JournalAnswer) => JournalAnswer;
  readonly onSnapshot?: (when: 'before' | 'after', count: number) => void;
}

/** A control plane and its worker, until the end of `use`. */
const live = async <T>(life: Life, use: (ports: Ports) => Promise<T>): Promise<T> => {
  const alone = await openStandalone({ data: life.data, admit: (file) => admitModule(file) });
  const warnings: string[] = [];
  const quiet = (): void => undefined;
  const warn = (_: object, text: string): void => void warnings.push(text);
  const logger = { debug: quiet, info: quiet, warn, error: warn };
  let snapshots = 0;
  const read: number[] = [];
  const call = async (request: CallRequest, options: { readonly signal: AbortSignal }): Promise<unknown> => {
    if (request.route === 'peerJournal') {
      const journal = parseAs(journalAnswerSchema, await alone.call(request, options), 'the journal');
      read.push(journal.batches[0]?.firstSeq ?? 0);
      return life.alter?.(journal) ?? journal;
    }
    if (request.route !== 'peerSnapshot') return alone.call(request, options);
    snapshots += 1;
    life.onSnapshot?.('before', snapshots);
    const answer = await alone.call(request, options);
    life.onSnapshot?.('after', snapshots);
    return answer;
  };
  let replayed = (): number => 0;
  const worker = await startWorker({
    peer: { call, close: () => Promise.resolve() },
    token: alone.token,
    clock: systemClock,
    random: systemRandom,
    logger,
    openHost: async (modules) => {
      const { performer } = life;
      const engine = await openEngine({
        modules,
        performer,
        clock: systemClock,
        random: systemRandom,
        threads: 1,
        logger,
      });
      replayed = () => engine.stats.replayedEntries;
      return embeddedHost(engine);
    },
  });
  try {
    return await use({ alone, replayed: () => replayed(), warnings, read });
  } finally {
    await worker.stop();
    await alone.stop();
  }
};

interface Ended {
  readonly result: unknown;
  readonly replayed: number;
  readonly warnings: readonly string[];
  /** Numbers of the entries from which on its journal was read. */
  readonly read: readonly number[];
}

interface Ports {
  readonly alone: Awaited<ReturnType<typeof openStandalone>>;
  readonly replayed: () => number;
  readonly warnings: readonly string[];
  readonly read: readonly number[];
}

/** The snapshot is of another image, with seals that fit, as if the guest's runtime had been built otherwise. */
const ofAnotherImage = (journal: JournalAnswer): JournalAnswer => {
  const { snapshot, batches } = journal;
  const entries = snapshot?.entries ?? 0;
  const last = batches.find(({ firstSeq, count }) => firstSeq < entries && entries <= firstSeq + count);
  if (!snapshot?.head || !last) return journal;
  const { runtime, bytes, head } = snapshot;
  const state = { entries, runtime, imageHash: 'ab'.repeat(32), bytes };
  const seal = snapshotSeal(last.hash, state);
  return { ...journal, snapshot: { ...state, seal, head, headSeal: headSeal(seal, head) } };
};

describe('a stored snapshot', { timeout: 300_000 }, () => {
  const folders: string[] = [];
  const newFolder = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-snapshots-'));
    folders.push(folder);
    return folder;
  };
  const onDatabase = <T>(data: string, use: (db: DatabaseSync) => T): T => {
    const db = new DatabaseSync(join(data, 'control.db'));
    try {
      return use(db);
    } finally {
      db.close();
    }
  };
  let crashed: string;
  let data: string;

  // Two of its snapshots are lost on their way, one of them with its answer only: that must harm nothing.
  before(async () => {
    crashed = newFolder();
    const held = Promise.withResolvers<void>();
    const stored = Promise.withResolvers<void>();
    const performer = site(heldAt, held.resolve);
    const onSnapshot = (when: 'before' | 'after', count: number): void => {
      if (count === (when === 'before' ? 1 : 2)) throw mvmError('CONNECTION_LOST', 'the line is cut');
      if (when === 'after' && count === 10) stored.resolve();
    };
    await live({ data: crashed, performer, onSnapshot }, async ({ alone, warnings }) => {
      await alone.core.modules.deploy({ name: 'long', version: '1', file: encodeModule(workflowModule(body)) });
      await alone.core.queue.publish([{ job_id: 'j1', workflow: 'long' }]);
      await Promise.all([held.promise, stored.promise]);
      assert.deepEqual(
        warnings,
        Array.from({ length: 2 }, () => 'a snapshot could not be kept'),
      );
    });
  });
  beforeEach(() => {
    data = newFolder();
    cpSync(crashed, data, { recursive: true });
  });
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  /** Lets the job go on to its end. */
  const goOn = (alter?: Life['alter']): Promise<Ended> =>
    live({ data, performer: site(Infinity), ...(alter && { alter }) }, async ({ alone, replayed, warnings, read }) => {
      const signal = AbortSignal.timeout(60_000);
      const { status, result } = await alone.core.queue.statusAtEnd('j1', { waitMs: 60_000, signal });
      assert.equal(status, 'completed');
      return { result, replayed: replayed(), warnings, read };
    });
  const change = (sql: string): unknown => onDatabase(data, (db) => db.prepare(sql).run());
  const stored = (): number =>
    onDatabase(data, (db) => Number(db.prepare('SELECT max(entries) AS entries FROM snapshots').get()?.['entries']));

  it('lets a job of 10,000 entries go on without the steps behind it, to the result of a replay, and ends with the job', async () => {
    const behind = stored();
    assert.ok(behind >= entriesMin, `${behind} entries are behind it`);
    const resumed = await goOn();
    const [first = 0, ...more] = resumed.read;
    // Batches are packed together when they are old.
    assert.ok(first > behind - 1_000 && first < behind, `its journal is read from entry ${first} of ${behind} on`);
    assert.deepEqual(more, []);
    assert.ok(resumed.replayed > 0 && resumed.replayed < 1_000, `${resumed.replayed} entries were replayed`);
    assert.equal(stored(), 0, 'it is removed with the end of the job');
    data = newFolder();
    cpSync(crashed, data, { recursive: true });
    change('DELETE FROM snapshots');
    const replayed = await goOn();
    assert.ok(replayed.replayed > entriesMin, 'the journal alone suffices');
    assert.equal(resumed.result, replayed.result);
    assert.deepEqual(replayed.read, [0]);
    assert.deepEqual([...resumed.warnings, ...replayed.warnings], []);
  });

  const doubts = {
    'whose bytes are damaged': 'bytes = zeroblob(100)',
    'that says that it stands for other entries': 'entries = entries - 2',
    'that says that it is of another runtime': `runtime = 'other'`,
    'whose image is none': `image_hash = 'none'`,
    'of another attempt': 'attempt = 2',
    'whose state and head are damaged': 'bytes = zeroblob(100), head = zeroblob(100)',
  };
  const headless = {
    'that has no head': 'head = NULL, head_seal = NULL',
    'whose head is damaged': 'head = zeroblob(100)',
    'whose head has the seal of another one': 'head_seal = seal',
  };
  for (const [what, damage] of Object.entries(doubts)) {
    it(`${what} is left aside, and the job replays to its end`, async () => {
      change(`UPDATE snapshots SET ${damage}`);
      const { replayed, result } = await goOn();
      assert.ok(replayed > entriesMin, `${replayed} entries were replayed`);
      assert.equal(typeof result, 'number');
    });
  }
  for (const [what, damage] of Object.entries(headless)) {
    it(`${what} spares the steps behind it, and the whole journal is read`, async () => {
      change(`UPDATE snapshots SET ${damage}`);
      const { replayed, read } = await goOn();
      assert.ok(replayed > 0 && replayed < 1_000, `${replayed} entries were replayed`);
      assert.equal(read.at(-1), 0);
    });
  }

  it('whose guest can not be made here has the whole journal read, to the same result', async () => {
    const resumed = await goOn();
    data = newFolder();
    cpSync(crashed, data, { recursive: true });
    const { replayed, read, result } = await goOn(ofAnotherImage);
    assert.ok(replayed > entriesMin, `${replayed} entries were replayed`);
    assert.deepEqual([read.length, read.at(-1), result], [2, 0, resumed.result]);
  });
});
