import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attempt } from './command.ts';
import { compose } from './compose.ts';

const script = fileURLToPath(new URL('../../scripts/start-cluster.sh', import.meta.url));

describe('scripts/start-cluster.sh', { timeout: 300_000 }, () => {
  it('refuses arguments that it does not know, before it does anything', async () => {
    for (const [args, message] of [
      [['--option', '5'], /--option must be 1, 2, 3 or 4, not '5'/],
      [['--workers', 'many'], /--workers must be a whole number, not 'many'/],
      [['--workers'], /--workers needs a value/],
      [['--verbose'], /unknown argument --verbose/],
    ] as const) {
      const { code, stdout, stderr } = await attempt(script, args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    }
  });

  it('says that no engine answers', async () => {
    const { code, stderr } = await attempt(script, [], { ...process.env, DOCKER_HOST: 'unix:///nowhere.sock' });
    assert.equal(code, 1);
    assert.match(stderr, /no Docker engine answers/);
  });

  it('ends with 1 and the last lines of the log when a container does not get well', async () => {
    const secrets = mkdtempSync(join(tmpdir(), 'mvm-ci-secrets-'));
    const project = { COMPOSE_PROJECT_NAME: 'mvm-ci-test-failing', MVM_CI_PUBLISH: '127.0.0.1:13029' };
    const env = { ...process.env, ...project, MVM_CI_SECRETS_FOLDER: secrets };
    try {
      // Workers refuse to start with this, and the control plane does not look at it.
      const wrong = { ...env, MVM_CI_SLOTS: 'many' };
      const { code, stdout, stderr } = await attempt(script, ['--workers', '1', '--timeout', '10'], wrong);
      assert.equal(code, 1);
      assert.doesNotMatch(stdout, /ticket/);
      assert.match(stderr, /MVM_CI_SLOTS is "many", which is not allowed/);
      assert.match(stderr, /not everything became healthy within 10 s/);
      assert.match(stderr, /to stop it: COMPOSE_PROJECT_NAME=mvm-ci-test-failing docker.* down/);
    } finally {
      await compose(['compose.yaml'], ['down', '--volumes'], env);
      rmSync(secrets, { recursive: true });
    }
  });
});
