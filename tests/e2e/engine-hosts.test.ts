/**
 * The four places for an engine, as one table: the same disturbances for each of them, with real processes. Each job stands
 * still in the middle with one request in flight when the disturbance comes; every effect is counted at its receiver.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobView, PublishJob } from '@mvm-ci/protocol';
import { Receiver, type ClusterOptions, type EngineOption, type ReadyProcess } from '@mvm-ci/testkit';
import { BookingOffice } from './booking-office.ts';
import type { Request } from './receiver.ts';
import { Scene } from './scene.ts';

const jobs = 6;
const stages = 3;
const deadlineMs = 240_000;
/** Requests that a journey has under way at the same time. */
const looksAtOnce = 2;

const places: Readonly<Record<EngineOption, string>> = {
  embedded: 'in an engine of each worker',
  peer: "in the control plane's engine",
  pool: 'in a pool of three engine servers',
  remote: 'in one engine server',
};
const options: readonly EngineOption[] = ['embedded', 'peer', 'pool', 'remote'];
const withServers: readonly EngineOption[] = ['pool', 'remote'];

/** What a disturbance may touch. */
interface Standstill {
  readonly scene: Scene;
  readonly signal: AbortSignal;
  /** Lets the receiver answer again. */
  readonly release: () => void;
}

describe('the four places for an engine', () => {
  it('send the same bytes and give the same results', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using office = await BookingOffice.start();
    const sent = new Map<EngineOption, readonly unknown[]>();
    for (const engine of options) {
      const before = office.requests.length;
      await using scene = await Scene.start({ engine, workers: 1 });
      const ended = await scene.allEnded(await publishJourneys(scene, office.url), signal);
      assertCompleted(ended, office);
      sent.set(engine, office.requests.slice(before).map(bytesOf).toSorted(byKey));
    }
    assert.equal(sent.get('embedded')?.length, jobs * stages * 3, 'too little happened');
    for (const engine of options) assert.deepEqual(sent.get(engine), sent.get('embedded'), places[engine]);
  });
});

for (const engine of options) {
  describe(`jobs that run ${places[engine]}`, () => {
    it('go on when their worker is killed', () =>
      rideOut({ engine, workers: 2 }, async ({ scene, release }) => {
        const victim = await busiest(scene);
        const held = await scene.heldBy(victim);
        await scene.cluster.removeWorker(victim);
        release();
        return held.length;
      }));

    it('go on when their worker drains', () =>
      rideOut({ engine, workers: 2, workerArgs: ['--grace', '0'] }, async ({ scene, release }) => {
        const victim = await busiest(scene);
        const held = await scene.heldBy(victim);
        const code = await victim.stop();
        release();
        assert.equal(code, 0, victim.output);
        return held.length;
      }));
  });
}

describe(`jobs that run ${places.peer}`, () => {
  it('go on when the control plane is killed with its engine, and started again', () =>
    rideOut({ engine: 'peer', workers: 1 }, async ({ scene, release }) => {
      await scene.cluster.crashControlPlane();
      release();
      return jobs;
    }));

  it(
    'are dropped with the lease of a worker that is killed, before the next one goes on with them',
    { timeout: deadlineMs },
    async () => {
      await using receiver = await Receiver.start();
      receiver.isHolding = true;
      await using scene = await Scene.start({ engine: 'peer', workers: 2, slots: 1 });
      await scene.deploy('journey');
      const input = { url: receiver.url, stages: 1, pauseMs: 1 };
      await scene.publish([{ job_id: 'journey-0', workflow: 'journey', input }]);
      await receiver.received('journey-0', looksAtOnce);
      await scene.cluster.removeWorker(await busiest(scene));
      await receiver.received('journey-0', looksAtOnce + 1);
      assert.equal(receiver.abandoned, looksAtOnce, 'two runs of a job were under way side by side');
    },
  );

  it('do nothing twice when the control plane is paused past the lease, and wakes up', () =>
    rideOut({ engine: 'peer', workers: 1 }, async ({ scene, signal, release }) => {
      const [worker] = scene.cluster.workers;
      assert.ok(worker);
      scene.cluster.controlPlane.signal('SIGSTOP');
      release();
      // No heartbeat was answered for a lease's time: the worker gives up its connection.
      await worker.says('CONNECTION_LOST', signal);
      scene.cluster.controlPlane.signal('SIGCONT');
      return jobs;
    }));
});

describe('jobs that run in the engine server beside the control plane', () => {
  it('go on when their worker is killed', () =>
    rideOut({ controlPlaneArgs: ['--flawless', '127.0.0.1:0'] }, async ({ scene, release }) => {
      const [victim] = scene.cluster.workers;
      assert.ok(victim);
      const held = await scene.heldBy(victim);
      await Promise.all([addWorkerBeside(scene), scene.cluster.removeWorker(victim)]);
      release();
      return held.length;
    }));
});

describe('an engine server that is paused', () => {
  it('keeps no job from the worker that drains, and does nothing more with it when it wakes up', () =>
    rideOut({ engine: 'pool', workers: 1, workerArgs: ['--grace', '0'] }, async ({ scene, signal, release }) => {
      const [victim] = scene.cluster.workers;
      assert.ok(victim);
      const { server } = await busiestEngine(scene);
      server.signal('SIGSTOP');
      await scene.cluster.addWorker();
      const code = await victim.stop();
      release();
      await scene.allEnded(journeyIds, signal);
      server.signal('SIGCONT');
      assert.equal(code, 0, victim.output);
      assert.match(victim.output, /job released/);
      assert.doesNotMatch(victim.output, /job lost/);
      return jobs;
    }));
});

describe('an engine server that is told to end', () => {
  it('does not wait for a worker that is silent', () =>
    rideOut({ engine: 'pool', workers: 1, engineArgs: ['--grace', '0'] }, async ({ scene, release }) => {
      const [worker] = scene.cluster.workers;
      assert.ok(worker);
      const { server } = await busiestEngine(scene);
      worker.signal('SIGSTOP');
      const code = await scene.cluster.engines.stop(server);
      worker.signal('SIGCONT');
      release();
      assert.equal(code, 0, server.output);
      return jobs;
    }));
});

for (const engine of withServers) {
  describe(`jobs that run ${places[engine]}`, () => {
    it('go on when the engine server is killed', () =>
      rideOut({ engine, workers: 1 }, async ({ scene, release }) => {
        const { server, runs } = await busiestEngine(scene);
        await scene.cluster.engines.kill(server);
        release();
        if (engine === 'remote') await scene.cluster.engines.restart();
        return runs;
      }));

    it('go on when the engine server drains', () =>
      rideOut({ engine, workers: 1 }, async ({ scene, release }) => {
        const { server, runs } = await busiestEngine(scene);
        const code = await scene.cluster.engines.stop(server);
        release();
        assert.equal(code, 0, server.output);
        if (engine === 'remote') await scene.cluster.engines.restart();
        return runs;
      }));

    it('do nothing twice when the engine server is paused past the lease, and wakes up', () =>
      rideOut({ engine, workers: 1 }, async ({ scene, signal, release }) => {
        const [worker] = scene.cluster.workers;
        assert.ok(worker);
        const { server, runs } = await busiestEngine(scene);
        server.signal('SIGSTOP');
        release();
        await worker.says('CONNECTION_LOST', signal);
        if (engine === 'pool') await scene.allEnded(journeyIds, signal);
        server.signal('SIGCONT');
        return runs;
      }));
  });
}

const journeyIds = Array.from({ length: jobs }, (_, index) => `journey-${index}`);

const publishJourneys = (scene: Scene, url: string): Promise<readonly string[]> => {
  const input = { url, stages, pauseMs: 20 };
  const published = journeyIds.map((id): PublishJob => ({ job_id: id, workflow: 'journey', input }));
  return scene.deploy('journey').then(() => scene.publish(published));
};

/** Disturbs jobs that stand still, and demands all their results and each of their effects once. */
const rideOut = async (
  cluster: ClusterOptions,
  disturb: (standstill: Standstill) => Promise<number>,
): Promise<void> => {
  const signal = AbortSignal.timeout(deadlineMs);
  await using office = await BookingOffice.start();
  await using scene = await Scene.start({ slots: jobs, ...cluster });
  if (scene.cluster.workers.length === 0) await addWorkerBeside(scene);
  office.hold();
  const ids = await publishJourneys(scene, office.url);
  await office.stillstand(jobs);
  const disturbed = await disturb({ scene, signal, release: () => office.release() });
  const ended = await scene.allEnded(ids, signal);

  assert.ok(disturbed > 0, 'the disturbance hit no job: too little happened');
  assertCompleted(ended, office);
  const journals = await Promise.all(ids.map((id) => scene.client.journal(id)));
  office.assertOnce(journals, disturbed);
};

/** A worker that uses the engine server beside the control plane. */
const addWorkerBeside = (scene: Scene): Promise<ReadyProcess> =>
  scene.cluster.addWorker({ args: ['--flawless-url', scene.cluster.controlPlane.field('flawless')] });

const assertCompleted = (ended: readonly JobView[], office: BookingOffice): void => {
  assert.equal(ended.length, jobs);
  for (const job of ended) {
    assert.deepEqual([job.status, job.attempt], ['completed', 1], JSON.stringify(job.error));
    assert.deepEqual(job.result, office.answersOf(stages));
  }
};

/** The worker that holds the most jobs. */
const busiest = async (scene: Scene): Promise<ReadyProcess> => {
  const held = await Promise.all(scene.cluster.workers.map(async (worker) => (await scene.heldBy(worker)).length));
  const worker = scene.cluster.workers[held.indexOf(Math.max(...held))];
  assert.ok(worker);
  return worker;
};

/** The engine server with the most runs. */
const busiestEngine = async (scene: Scene): Promise<{ readonly server: ReadyProcess; readonly runs: number }> => {
  const counted = await Promise.all(
    scene.cluster.engines.running.map(async (server) => {
      const answer = await fetch(`${server.field('http')}/readyz`);
      const { runs } = (await answer.json()) as { readonly runs: number };
      return { server, runs };
    }),
  );
  const [first] = counted.toSorted((a, b) => b.runs - a.runs);
  assert.ok(first);
  return first;
};

/** All of a request that its receiver can see, apart from the time. */
const bytesOf = ({ key, path, method, headers, body }: Request): Omit<Request, 'atMs'> => ({
  key,
  path,
  method,
  headers,
  body,
});

const byKey = (a: { readonly key: string }, b: { readonly key: string }): number => (a.key < b.key ? -1 : 1);
