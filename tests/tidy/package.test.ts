import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packageArrows, packageName } from './package-arrow.ts';
import { files, read, readManifest } from './repository.ts';

const manifests = files.filter((path) => /^(packages\/[^/]+\/|examples\/[^/]+\/)?package\.json$/.test(path));
const ourNames = new Set(Object.keys(packageArrows).map(packageName));

const foldersOf = (dependencies: Readonly<Record<string, string>> | undefined): readonly string[] =>
  Object.keys(dependencies ?? {}).filter((name) => ourNames.has(name));

test('every package depends only on the packages that the design lets it import', () => {
  for (const path of manifests.filter((manifest) => manifest.startsWith('packages/'))) {
    const folder = path.split('/')[1] ?? '';
    const arrows = packageArrows[folder];
    assert.ok(arrows, `${path}: no row for "${folder}" in tests/tidy/package-arrow.ts`);
    const allowed = arrows.map(packageName);
    const { name, dependencies, devDependencies } = readManifest(path);
    assert.equal(name, packageName(folder));
    for (const found of foldersOf(dependencies))
      assert.ok(allowed.includes(found), `${path} must not depend on ${found}`);
    for (const found of foldersOf(devDependencies)) {
      assert.ok([...allowed, packageName('testkit')].includes(found), `${path}: tests must not depend on ${found}`);
    }
  }
});

test('every dependency is pinned to one exact version', () => {
  for (const path of manifests) {
    const { dependencies, devDependencies, optionalDependencies } = readManifest(path);
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
      assert.match(version, /^(npm:@?[\w./-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/, `${path}: ${name} is "${version}"`);
    }
  }
});

test('the lock file names no registry, so that it installs through any', () => {
  const lock = read('package-lock.json');
  assert.doesNotMatch(lock, /"resolved": "(https?|git)/);
  assert.doesNotMatch(lock, /\/\/registry\./);
});
