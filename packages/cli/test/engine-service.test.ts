import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { startEngineServer, type EngineServer } from '@mvm-ci/flawless';
import { openHttpAgents, requestHttp, systemClock } from '@mvm-ci/net';
import {
  encodeModule,
  engineStatusSchema,
  linkVersion,
  moduleHash,
  type EngineStatus,
  type Logger,
} from '@mvm-ci/protocol';
import { HeldAttempt, workflowModule } from '@mvm-ci/testkit';
import { RemoteMember, type HostRun } from '@mvm-ci/worker';
import { openEngineService, type EngineService } from '../src/long-running/engine-service.ts';
import { systemRandom } from '../src/system-random.ts';

const quiet = (): void => undefined;
const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const clock = systemClock;
const files = new Map<string, Uint8Array>();

describe('an engine server with its engine', { timeout: 120_000 }, () => {
  const agents = openHttpAgents();
  let service: EngineService;
  let server: EngineServer;
  let member: RemoteMember;

  beforeEach(async () => {
    service = await openEngineService({ config: { threads: 1, maxRuns: 2 }, logger, suspendAfterMs: Infinity });
    const http = { host: '127.0.0.1', port: 0 };
    server = await startEngineServer({ http, links: service.links, version: '0.0.0', logger, clock });
    const modules = async (hash: string): Promise<Uint8Array> => files.get(hash) ?? new Uint8Array();
    member = new RemoteMember({ url: server.url, agents, modules, clock, random: systemRandom, logger });
    await linked();
  });

  afterEach(async () => {
    await member.stop();
    await server.stop({ graceMs: 0 });
    await service.stop();
  });

  after(() => agents.close());

  const linked = async (): Promise<void> => {
    while (member.obstacle) await clock.nextTurn();
  };

  const status = async (): Promise<EngineStatus> => {
    const { body } = await requestHttp({ url: server.url, path: '/readyz', agents, clock });
    return engineStatusSchema.parse(JSON.parse(new TextDecoder().decode(body)));
  };

  /** Runs a workflow, and waits until it has asked for something. */
  const begin = async (job: string, source: string): Promise<{ attempt: HeldAttempt; run: HostRun }> => {
    const file = encodeModule(workflowModule(source));
    const module = moduleHash(file);
    files.set(module, file);
    const attempt = new HeldAttempt({
      job,
      epoch: 1,
      attempt: 1,
      module,
      workflow: 'main',
      input: 'null',
      journalEntries: 0,
    });
    const run = member.run(attempt.claimed, attempt);
    await attempt.until(() => attempt.entries.some(({ kind }) => kind === 'intents'));
    return { attempt, run };
  };

  it('counts its runs, and says that it is ready also when all places are taken', async () => {
    const runs = [await begin('a', 'await sleep(86400000);'), await begin('b', 'await sleep(86400000);')];
    assert.deepEqual(await status(), {
      ready: true,
      reasons: [],
      runs: 2,
      runsMax: 2,
      version: '0.0.0',
      link: linkVersion,
    });
    for (const { run } of runs) run.drop();
    await Promise.all(runs.map(({ run }) => run.ended));
    while ((await status()).runs > 0) await clock.nextTurn();
  });

  it('lets a run end within the grace time, and gives the others back', async () => {
    const short = await begin('short', 'await sleep(200); return "done";');
    const long = await begin('long', 'await sleep(86400000);');
    const stopping = server.stop({ graceMs: 3_000 });
    assert.deepEqual((await status()).ready, false);
    assert.deepEqual(await short.run.ended, { type: 'finished', outcome: { type: 'completed', result: '"done"' } });
    assert.deepEqual(await long.run.ended, { type: 'finished', outcome: { type: 'released' } });
    await stopping;
    assert.equal(service.links.runs, 0);
  });
});
