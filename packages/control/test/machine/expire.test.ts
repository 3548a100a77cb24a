import { optionsText } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { migrate } from '../../src/store/migration.ts';
import { claimRuns, deployCrawler, publishRuns } from './commands.ts';

/** Strikes of jobs that one worker holds, after its leases were lost so many times. */
const strikesAfter = (held: number, losses: number): ReadonlySet<unknown> => {
  using db = new DatabaseSync(':memory:');
  migrate(db);
  const group = new GroupCommit(db);
  const ids = Array.from({ length: held }, (_, number) => `job-${number}`);
  group.run([deployCrawler(1), publishRuns(2, ids)]);
  for (let epoch = 1; epoch <= losses; epoch += 1) {
    const at = epoch * 100_000;
    const [claimed] = group.run([claimRuns(at, 'w', held)]);
    assert.ok(claimed?.ok === true && claimed.reply.type === 'claim');
    assert.equal(claimed.reply.jobs.length, held);
    group.run([{ type: 'expire', at: at + 1, leases: ids.map((job) => ({ job, epoch })) }]);
  }
  const rows = db.prepare('SELECT state, strikes, lost_leases FROM jobs').all();
  assert.ok(rows.every((row) => row['state'] === 'pending' && row['lost_leases'] === losses));
  return new Set(rows.map((row) => row['strikes']));
};

suite('expire', () => {
  test('makes suspects that keep no others from a worker that may take those', () => {
    using db = new DatabaseSync(':memory:');
    migrate(db);
    const group = new GroupCommit(db);
    const options = optionsText({ requires: ['gpu'] });
    const ids = Array.from({ length: 30 }, (_, number) => `gpu-${number}`);
    const published = publishRuns(2, ids);
    const jobs = published.jobs.map((job) => ({ ...job, options }));
    group.run([deployCrawler(1), { ...published, jobs }, publishRuns(3, ['plain'])]);
    const all = [...ids, 'plain'];
    for (const epoch of [1, 2]) {
      const at = epoch * 100_000;
      group.run([{ ...claimRuns(at, 'w', all.length), tags: ['gpu'] }]);
      group.run([{ type: 'expire', at: at + 1, leases: all.map((job) => ({ job, epoch })) }]);
    }
    const [claimed] = group.run([claimRuns(300_000, 'other', 9)]);
    assert.ok(claimed?.ok === true && claimed.reply.type === 'claim');
    assert.deepEqual(
      claimed.reply.jobs.map(({ job }) => job),
      ['plain'],
    );
  });

  test('blames the jobs of a holder that held few, and none of one that held very many', () => {
    assert.deepEqual(strikesAfter(controlLimits.blamedJobsMax, 1), new Set([1]));
    assert.deepEqual(strikesAfter(controlLimits.blamedJobsMax + 1, 10), new Set([0]));
  });
});
