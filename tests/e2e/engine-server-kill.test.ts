import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildWorkflow } from '@mvm-ci/build';
import { createClient, type Client } from '@mvm-ci/client';
import { isFinal } from '@mvm-ci/protocol';
import { EffectAudit, ReadyProcess, startSite } from '@mvm-ci/testkit';

const jobs = 40;
const kills = 4;
const deadlineMs = 240_000;

/** Engine servers on one folder, one after another. */
class LoneServer implements AsyncDisposable {
  readonly #folder: string;
  #process: ReadyProcess | undefined;
  #address = '127.0.0.1:0';

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<Client> {
    const args = ['flawless', 'up', '--http', this.#address, '--data', this.#folder, '--log-level', 'warn'];
    this.#process = await ReadyProcess.start({ args });
    const url = this.#process.field('http');
    this.#address = new URL(url).host;
    return createClient({ url });
  }

  /** @returns when it was dead, Unix ms */
  async kill(): Promise<number> {
    await this.#process?.kill();
    return Date.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true });
  }
}

describe('an engine server used alone that is killed again and again', () => {
  it('loses no job, repeats no recorded effect, and changes no result', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using site = await startSite({ slowMs: 200 });
    await using server = new LoneServer(await mkdtemp(join(tmpdir(), 'mvm-ci-alone-')));
    const first = await server.start();
    const folder = fileURLToPath(new URL('../../examples/01-crawler', import.meta.url));
    const { name, version, bytes } = await buildWorkflow({ folder });
    await first.deploy({ name, version, file: bytes });
    const ids = Array.from({ length: jobs }, (_, index) => `crawl-${index}`);
    const crawl = { workflow: name, input: { url: site.url, maxPages: 10, pauseMs: 40 } };
    await first.publishMany(ids.map((id) => ({ ...crawl, job_id: id })));

    const killedMs: number[] = [];
    let client = first;
    for (let kill = 0; kill < kills; kill += 1) {
      await someChanges(client, signal);
      killedMs.push(await server.kill());
      client = await server.start();
    }
    const ended = await Promise.all(ids.map((id) => client.wait(id, { signal })));

    assert.deepEqual(
      new Set(ended.map(({ status }) => status)),
      new Set(['completed']),
      JSON.stringify(ended[0]?.error),
    );
    assert.equal(new Set(ended.map(({ result }) => JSON.stringify(result))).size, 1);
    const resumes = ended.reduce((sum, job) => sum + job.resumes, 0);
    assert.ok(resumes >= jobs, `only ${resumes} times a job went on: too little happened`);
    const audit = new EffectAudit();
    const journals = await Promise.all(ids.map((id) => client.journal(id)));
    for (const atMs of killedMs) audit.noteKillOfHolder(atMs, journals);
    const { duplicated, resent, inFlight } = audit.judge(site.arrivals());
    assert.deepEqual(duplicated, []);
    assert.ok(resent <= inFlight, `${resent} resent, ${inFlight} were in flight`);
  });
});

/** Resolves when jobs have changed some times, but not all of them are over. */
const someChanges = async (client: Client, signal: AbortSignal): Promise<void> => {
  let left = 150;
  let over = 0;
  for await (const { status } of client.events({ signal })) {
    if (isFinal(status)) over += 1;
    left -= 1;
    if (left <= 0 || over > jobs / 2) return;
  }
};
