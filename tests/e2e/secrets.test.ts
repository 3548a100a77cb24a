import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodeModule, secretPlaceholder } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { mvmCi } from './command.ts';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;
const value = 'a-value-that-nobody-else-has';

const asking = workflowModule(`
  const headers = [['authorization', 'Bearer ${secretPlaceholder('KEY')}']];
  const answer = await get(input.url, { headers });
  emit({ type: 'log', level: 'info', text: JSON.stringify(answer) });
  return answer.fetched ? answer.fetched.body.utf8 : answer.error.code;
`);

describe('a secret', () => {
  let folder: string;
  let file: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mvm-ci-secrets-'));
    file = join(folder, 'secrets.json');
    await writeFile(file, JSON.stringify({ KEY: { value, hosts: ['127.0.0.1'] } }), { mode: 0o600 });
  });
  after(() => rm(folder, { recursive: true }));

  it('reaches the host that it is for, and neither the journal nor the log nor another host', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start(({ headers }, respond) => respond(200, headers.join(' ')));
    await using scene = await Scene.start({ workers: 1, workerArgs: ['--secrets', file] });
    await scene.client.deploy({ name: 'asking', version: '1', file: encodeModule(asking) });
    const elsewhere = receiver.url.replace('127.0.0.1', 'localhost');
    const ids = await scene.publish([receiver.url, elsewhere].map((url) => ({ workflow: 'asking', input: { url } })));
    const [sent, refused] = await scene.allEnded(ids, signal);

    assert.equal(refused?.result, 'FORBIDDEN');
    assert.equal(receiver.requests.length, 1);
    assert.ok(receiver.requests[0]?.headers.includes(`Bearer ${value}`));
    assert.match(String(sent?.result), new RegExp(`Bearer ${secretPlaceholder('KEY')}`));
    for (const id of ids) {
      const kept = JSON.stringify([await scene.client.journal(id), await scene.client.logs(id)]);
      assert.ok(!kept.includes(value), `job ${id} keeps the secret`);
    }
  });

  it('is refused from a file that others may read, or that is none, without a word of what is in it', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const refuse = async (rule: RegExp): Promise<void> => {
      const { code, stderr } = await mvmCi(['flawless', '--http', '127.0.0.1:0', '--secrets', file], signal);
      assert.notEqual(code, 0);
      assert.match(stderr, /CONFIG_INVALID/);
      assert.match(stderr, rule);
      assert.ok(!stderr.includes(value));
    };
    await chmod(file, 0o644);
    await refuse(/others may read it \(mode 644\): chmod 600/);
    await writeFile(file, `{ "KEY": ${value}`);
    await chmod(file, 0o600);
    await refuse(/it is not JSON/);
    await writeFile(file, JSON.stringify({ KEY: { value } }));
    await refuse(/hosts/);
  });
});
