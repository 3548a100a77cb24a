import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { limitsOfKey, queueChangeSchema } from '../../src/index.ts';

suite('the limits of a key', () => {
  const each = { concurrency: 1 };

  test('are its own, or those of each key', () => {
    const settings = { each_key: each, keys: { acme: { concurrency: 5 } } };
    assert.deepEqual(limitsOfKey(settings, 'acme'), { concurrency: 5 });
    assert.equal(limitsOfKey(settings, 'other'), each);
    assert.deepEqual(limitsOfKey({}, 'other'), {});
  });

  test('are those of each key for one that is named as what every object has', () => {
    for (const key of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
      assert.equal(limitsOfKey({ each_key: each, keys: {} }, key), each, key);
  });

  test('can not be set where they would be left out', () => {
    const wrong = queueChangeSchema.safeParse({ keys: JSON.parse('{"__proto__":{"concurrency":1}}') as unknown });
    assert.match(wrong.error?.issues[0]?.message ?? '', /"__proto__" can have no limits of its own/);
    const right = queueChangeSchema.parse({ keys: { constructor: { concurrency: 1 } } });
    assert.deepEqual(right.keys, { constructor: { concurrency: 1 } });
    assert.deepEqual(queueChangeSchema.parse({ keys: null }), { keys: null });
    assert.deepEqual(queueChangeSchema.parse({}), {});
  });
});
