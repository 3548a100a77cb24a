/** An engine that ends hands its runs over: requests in flight end first, so that no job has to ask whether they took effect. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeModule, engineStatusSchema, type JobView } from '@mvm-ci/protocol';
import { workflowModule, type ReadyProcess } from '@mvm-ci/testkit';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const jobs = 8;
const orders = 12;
const answerMs = 400;
const deadlineMs = 180_000;
/** Shorter than the jobs, and so short that they are handed over at once. */
const engineArgs = ['--grace', '3'];
/** No lease is lost by a machine that is slow. */
const controlPlaneArgs = ['--lease-ms', '20000'];
/** Orders that must not be sent twice: none of them says that it is idempotent. */
const body = `
  const answers = [];
  for (let order = 1; order <= ${orders}; order += 1) {
    const answer = await get(input.url + '/order/' + input.job + '/' + order, { method: 'POST' });
    answers.push(answer.fetched?.status ?? answer.error.code);
  }
  return answers;`;

/** Ends an engine, and sees to it that there is one afterwards. @returns the exit code */
type End = (scene: Scene) => Promise<number | NodeJS.Signals>;

const endings: readonly { readonly engine: 'pool' | 'remote' | 'peer'; readonly what: string; readonly end: End }[] = [
  {
    engine: 'pool',
    what: 'an engine server of a pool',
    end: async (scene) => scene.cluster.engines.stop(await busiestEngine(scene)),
  },
  {
    engine: 'remote',
    what: 'the only engine server',
    end: async (scene) => {
      const code = await scene.cluster.engines.stop(await busiestEngine(scene));
      await scene.cluster.engines.restart();
      return code;
    },
  },
  {
    engine: 'peer',
    what: "the control plane's engine",
    end: async (scene) => {
      const code = await scene.cluster.controlPlane.stop();
      await scene.cluster.startControlPlane();
      return code;
    },
  },
];

for (const { engine, what, end } of endings)
  describe(`${what} that is told to end`, { timeout: deadlineMs }, () => {
    it('hands its runs over: every order comes once, and no outcome is unknown', async () => {
      const signal = AbortSignal.timeout(deadlineMs);
      await using receiver = await Receiver.start(({ path }, respond) => {
        setTimeout(() => respond(200, path), answerMs);
      });
      await using scene = await Scene.start({ workers: 2, engine, engineArgs, controlPlaneArgs });
      await scene.client.deploy({ name: 'orders', version: '1', file: encodeModule(workflowModule(body)) });
      const ids = await scene.publish(
        Array.from({ length: jobs }, (_, job) => ({ workflow: 'orders', input: { url: receiver.url, job } })),
      );
      await receiver.arrivals(2 * jobs);
      assert.equal(await end(scene), 0);
      const ended = await scene.allEnded(ids, signal);
      for (const job of ended) assertAnswered(job);
      assert.ok(
        ended.some(({ resumes }) => resumes > 0),
        'no job was handed over: too little happened',
      );
      assert.equal(receiver.requests.length, jobs * orders, 'each order came once');
      assert.equal(new Set(receiver.requests.map(({ path }) => path)).size, jobs * orders);
    });
  });

const assertAnswered = (job: JobView): void => {
  assert.deepEqual([job.status, job.attempt, job.lost_leases], ['completed', 1, 0], JSON.stringify(job.error));
  assert.deepEqual(
    job.result,
    Array.from({ length: orders }, () => 200),
  );
};

/** The engine server with the most runs. */
const busiestEngine = async (scene: Scene): Promise<ReadyProcess> => {
  const counted = await Promise.all(
    scene.cluster.engines.running.map(async (server) => {
      const answer = await fetch(`${server.field('http')}/readyz`);
      return { server, runs: engineStatusSchema.parse(await answer.json()).runs };
    }),
  );
  const [first] = counted.toSorted((a, b) => b.runs - a.runs);
  assert.ok(first && first.runs > 0);
  return first.server;
};
