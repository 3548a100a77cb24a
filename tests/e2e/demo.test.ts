import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const demo = fileURLToPath(new URL('../../scripts/demo.ts', import.meta.url));
const deadlineMs = 240_000;

describe('the demo', () => {
  for (const [option, place] of [
    ['1', 'in each worker'],
    ['2', 'in the control plane'],
  ] as const) {
    it(`with the engine ${place}: kills a worker, loses nothing, does nothing twice, says so in one line of JSON`, async () => {
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [demo, '--option', option, '--jobs', '24', '--http', '127.0.0.1:0', '--json'],
        { timeout: deadlineMs },
      );
      const summary: unknown = JSON.parse(stdout);
      assert.ok(typeof summary === 'object' && summary !== null);
      const { resumed, effects, effectsResent, wallMs, ...rest } = { ...(summary as Record<string, number>) };
      assert.deepEqual(rest, { jobs: 24, completed: 24, attempts: 24, effectsDuplicated: 0, lost: 0 });
      assert.ok(Number(resumed) > 0 && Number(effects) > 24 && Number(effectsResent) >= 0 && Number(wallMs) > 0);
      assert.match(stderr, /kill -9 \d+/);
      assert.match(stderr, /went on at worker-\d after entry \d+ of \d+/);
    });
  }
});
