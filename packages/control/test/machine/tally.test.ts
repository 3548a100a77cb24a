import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import type { Tally } from '../../src/machine/tally.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { migrate } from '../../src/store/migration.ts';
import { claimRuns, deployCrawler, publishRuns } from './commands.ts';

test('a lease too many is counted as lost, and its job as failed', () => {
  using db = new DatabaseSync(':memory:');
  migrate(db);
  const group = new GroupCommit(db);
  group.run([deployCrawler(1), publishRuns(2, ['killer'])]);
  const ends: Tally['ends'][] = [];
  for (let epoch = 1; epoch <= controlLimits.strikesMax; epoch += 1) {
    const at = epoch * 100_000;
    const leases = [{ job: 'killer', epoch }];
    const [claimed, expired] = group.run([claimRuns(at, 'w', 1), { type: 'expire', at: at + 1, leases }]);
    assert.ok(claimed?.ok === true && expired?.ok === true);
    assert.equal(claimed.effects.tally.claims, 1);
    ends.push(expired.effects.tally.ends);
  }
  assert.deepEqual(ends, [
    ...Array.from({ length: controlLimits.strikesMax - 1 }, () => ({ lost: 1 })),
    { lost: 1, failed: 1 },
  ]);
});
