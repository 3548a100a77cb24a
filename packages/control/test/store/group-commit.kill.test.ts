/** Processes that are killed at random while they work on one database, one after another. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { openDatabase } from '../../src/store/database.ts';
import { examine } from '../../src/store/examination.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

const rounds = 200;
const atOnce = 2;
/** Each process is killed after it has told of at most this many things. */
const linesMax = 120;
const program = new URL('./fixtures/work-until-killed.ts', import.meta.url).pathname;

/** What processes said that they had committed. */
class Told {
  readonly published: Set<string> = new Set();
  readonly claimed: Map<string, number> = new Map();
  readonly finished: Map<string, number> = new Map();

  hear(line: string): void {
    const [what, id = '', epoch] = line.split(' ');
    if (what === 'published') this.published.add(id);
    if (what === 'claimed') this.claimed.set(id, Number(epoch));
    if (what === 'finished') {
      assert.ok(!this.finished.has(id), `job ${id} was completed twice`);
      this.finished.set(id, Number(epoch));
    }
  }
}

/** Runs the program until it has told of some things, at random; kills it then, wherever it is. */
const round = async (path: string, name: string, told: Told): Promise<void> => {
  const child = spawn(process.execPath, [program, path, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const killAfter = 1 + Math.floor(Math.random() * linesMax);
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    told.hear(line);
    lines += 1;
    if (lines === killAfter) child.kill('SIGKILL');
  }
  await exited;
  assert.equal(child.signalCode, 'SIGKILL');
};

/** What was told and is not so. */
const lies = (db: DatabaseSync, told: Told): readonly string[] => {
  const row = db.prepare('SELECT state, epoch, result, finished_epoch FROM jobs WHERE id = ?');
  // A job whose publish was not acknowledged any more can be claimed and completed by the next process all the same.
  const ids = [...told.published, ...told.claimed.keys(), ...told.finished.keys()];
  const stored = new Map(ids.map((id) => [id, row.get(id)]));
  return [
    ...[...told.published].filter((id) => stored.get(id) === undefined).map((id) => `${id} is lost`),
    ...[...told.claimed]
      .filter(([id, epoch]) => Number(stored.get(id)?.['epoch'] ?? 0) < epoch)
      .map(([id, epoch]) => `${id} was claimed with epoch ${epoch}, and has an older one`),
    ...[...told.finished]
      .filter(
        ([id, epoch]) => stored.get(id)?.['state'] !== 'completed' || stored.get(id)?.['finished_epoch'] !== epoch,
      )
      .map(([id, epoch]) => `${id} was completed with epoch ${epoch}, and is ${JSON.stringify(stored.get(id))}`),
  ];
};

suite(`a process that is killed at random while it works, ${rounds} times`, () => {
  test('loses nothing that it acknowledged, and completes nothing twice', async (context) => {
    using folder = new TemporaryFolder();
    const worlds = Array.from({ length: atOnce }, (_, place) => ({
      path: join(folder.path, `${place}.db`),
      told: new Told(),
    }));
    await Promise.all(
      worlds.map(async ({ path, told }) => {
        for (let number = 0; number < rounds / atOnce; number += 1) await round(path, `round-${number}`, told);
      }),
    );
    let [published, finished, torn] = [0, 0, 0];
    for (const { path, told } of worlds) {
      using db = openDatabase(path);
      assert.deepEqual(lies(db, told), []);
      assert.deepEqual(examine(db).findings, []);
      published += told.published.size;
      finished += told.finished.size;
      torn += Number(db.prepare('SELECT count(*) AS jobs FROM jobs').get()?.['jobs']) - told.published.size;
    }
    context.diagnostic(`${published} published, ${finished} completed, ${torn} stored and not acknowledged, 0 lost`);
    assert.ok(published > rounds * 20 && finished > rounds * 10, 'too little happened');
  });
});
