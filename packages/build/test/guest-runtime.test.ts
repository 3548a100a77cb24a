import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { guestRuntime } from '../src/guest-runtime.ts';

// An engine names its runtime by the version of the same package.
it('the builder builds for the runtime that is installed', async () => {
  const path = fileURLToPath(import.meta.resolve('@jitl/quickjs-ng-wasmfile-release-sync/package.json'));
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile(path, 'utf8')));
  assert.equal(guestRuntime, `quickjs-ng/${version}`);
});
