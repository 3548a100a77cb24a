import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricSet } from '../src/metric-set.ts';

const lines = async (set: MetricSet, name: string): Promise<readonly string[]> =>
  (await set.text()).split('\n').filter((line) => line.startsWith(name));

test('a sample that is not read again is gone, and two sets share nothing', async () => {
  const [one, other] = [new MetricSet(), new MetricSet()];
  let members = ['a', 'b'];
  one.gauges({ name: 'pool_member', help: 'Members.', labels: ['url'] }, () => members.map((url) => [{ url }, 1]));
  assert.deepEqual(await lines(one, 'pool_member'), ['pool_member{url="a"} 1', 'pool_member{url="b"} 1']);
  members = ['b'];
  assert.deepEqual(await lines(one, 'pool_member'), ['pool_member{url="b"} 1']);
  assert.deepEqual(await lines(other, 'pool_member'), []);
});

test('a counter is what it was told to be, and never adds up what was read twice', async () => {
  const set = new MetricSet();
  set.counter('claims_total', 'Claims.', () => 3);
  await set.text();
  assert.deepEqual(await lines(set, 'claims_total'), ['claims_total 3']);
});

test('a histogram counts what it was shown, by labels where it has some', async () => {
  const set = new MetricSet();
  const plain = set.histogram({ name: 'wait_seconds', help: 'Waits.' }, [1, 2]);
  const labelled = set.histogram({ name: 'call_seconds', help: 'Calls.', labels: ['route'] }, [1]);
  plain(0.5);
  plain(1.5);
  labelled(3, { route: 'publish' });
  assert.deepEqual(await lines(set, 'wait_seconds_bucket'), [
    'wait_seconds_bucket{le="1"} 1',
    'wait_seconds_bucket{le="2"} 2',
    'wait_seconds_bucket{le="+Inf"} 2',
  ]);
  assert.deepEqual(await lines(set, 'call_seconds_count'), ['call_seconds_count{route="publish"} 1']);
});
