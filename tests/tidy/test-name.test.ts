import assert from 'node:assert/strict';
import { test } from 'node:test';
import { files } from './repository.ts';

/** Names that a package's tests may carry: its source files and folders. */
const nounsOf = (folder: string): ReadonlySet<string> =>
  new Set(
    files
      .filter((path) => path.startsWith(`${folder}/src/`) || path.startsWith(`${folder}/bin/`))
      .flatMap((path) => path.slice(folder.length + 1).split('/'))
      .map((part) => part.replace(/\.[^.]+$/, '')),
  );

test("every test file of a package carries the name of one of the package's files or folders", () => {
  const strangers = files.filter((path) => {
    const [, folder, name] = /^(packages\/[^/]+)\/test\/(?:.*\/)?([^/.]+)[^/]*\.test\.ts$/.exec(path) ?? [];
    return folder !== undefined && name !== undefined && !nounsOf(folder).has(name);
  });
  assert.deepEqual(strangers, [], 'name a test after its subject; an aspect goes behind a dot: lease.crash.test.ts');
});
