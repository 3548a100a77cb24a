import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretNamePattern, secretPlaceholder, secretPlaceholderPattern } from '@mvm-ci/protocol';
import { secret } from '@mvm-ci/sdk';

const names = ['A', 'GITHUB_TOKEN', 'with-dash', '0', 'x'.repeat(64)];

test('the SDK writes the placeholder of a secret that the host looks for', () => {
  for (const name of names) assert.equal(secret(name), secretPlaceholder(name));
});

test('the SDK takes the names that the host takes, and no other', () => {
  for (const name of [...names, '', 'a b', 'a.b', 'ü', 'x'.repeat(65), 'a\n']) {
    const isTaken = secretNamePattern.test(name);
    if (isTaken) assert.doesNotThrow(() => secret(name));
    else assert.throws(() => secret(name), TypeError);
  }
});

test('a placeholder is found in a URL, a form, a header and JSON text', () => {
  const placeholder = secret('API_KEY-1');
  const url = new URL(`http://site/${placeholder}/x?key=${placeholder}`).href;
  const texts = [url, new URLSearchParams({ key: placeholder }).toString(), `Bearer ${placeholder}`];
  for (const text of [...texts, JSON.stringify({ key: placeholder })]) {
    const found = [...text.matchAll(secretPlaceholderPattern)].map(([, name]) => name);
    assert.deepEqual(new Set(found), new Set(['API_KEY-1']));
  }
});
