import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { engineStatusSchema, isFinal } from '@mvm-ci/protocol';
import { ReadyProcess, startSite, type Site } from '@mvm-ci/testkit';
import { Scene } from './scene.ts';

const engines = 3;
const jobs = 30;
const killsWanted = 1;
const deadlineMs = 300_000;

describe('a pool of engine servers one of whose members is killed under load', () => {
  it('completes every job, repeats no effect whose answer was kept, and uses the member again', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using site = await startSite({ slowMs: 200 });
    await using fleet = await Fleet.start(engines);
    await using scene = await Scene.start({ workers: 2, slots: 12, workerEnv: { FLAWLESS_URL: fleet.urls.join(',') } });
    await scene.deploy('crawler');
    const crawl = { workflow: 'crawler', input: { url: site.url, maxPages: 10, pauseMs: 40 } };

    const [calm = ''] = await scene.publish([crawl]);
    const undisturbed = await scene.ended(calm, signal);
    assert.equal(undisturbed.status, 'completed', JSON.stringify(undisturbed.error));

    const ids = await scene.publish(Array.from({ length: jobs }, () => crawl));
    await killWhileRunning({ scene, fleet, ids, signal });
    const more = await publishUntilReturned({ scene, fleet, crawl, signal });
    const ended = await scene.allEnded([...ids, ...more], signal);

    assert.equal(fleet.kills.length, killsWanted, 'too few kills hit a member with jobs in the middle');
    assert.deepEqual(
      ended.filter(({ status }) => status !== 'completed').map(({ job_id, error }) => ({ job_id, error })),
      [],
    );
    for (const job of ended) assert.deepEqual(job.result, undisturbed.result);
    // The workers kept their leases: the jobs went on in the same claims. A machine that stands still may cost a few.
    const lost = ended.filter(({ lost_leases }) => lost_leases > 0).length;
    assert.ok(
      lost <= ended.length / 2,
      `${lost} of ${ended.length} jobs lost their lease, though no worker was killed`,
    );
    const said = scene.cluster.workers.map(({ output }) => output).join('');
    assert.match(said, /a run was interrupted: the job goes on from its journal/);
    assertResentWereInFlight(site, fleet.kills);
    await assertAnsweredOnce(scene, ids);
  });
});

/** When a member was killed, Unix ms: asked for, and gone. */
interface Kill {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Engine servers in processes of their own, at addresses that stay. */
class Fleet implements AsyncDisposable {
  readonly urls: readonly string[];
  readonly kills: Kill[] = [];
  readonly #processes: ReadyProcess[];
  /** Members that were started again and have had no run since. */
  readonly #unused = new Set<number>();

  private constructor(processes: readonly ReadyProcess[]) {
    this.#processes = [...processes];
    this.urls = processes.map((process) => process.field('http'));
  }

  static async start(count: number): Promise<Fleet> {
    return new Fleet(await Promise.all(Array.from({ length: count }, () => startEngine('127.0.0.1:0'))));
  }

  /** Whether every member that was started again has had a run since. */
  get areAllUsed(): boolean {
    return this.#unused.size === 0;
  }

  /** Looks whether members that were started again have runs. */
  async look(): Promise<void> {
    for (const index of this.#unused) if ((await this.#runs(index)) > 0) this.#unused.delete(index);
  }

  /** Kills the member with the most runs, and starts it again. */
  async killBusiest(): Promise<void> {
    const runs = await Promise.all(this.urls.map((_, index) => this.#runs(index)));
    const index = runs.indexOf(Math.max(...runs));
    if (runs[index] === 0) return;
    const fromMs = Date.now();
    await this.#processes[index]?.kill();
    this.kills.push({ fromMs, toMs: Date.now() });
    this.#processes[index] = await startEngine(new URL(this.urls[index] ?? '').host);
    this.#unused.add(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
  }

  async #runs(index: number): Promise<number> {
    const response = await fetch(`${this.urls[index]}/readyz`, { headers: { accept: 'application/json' } });
    return engineStatusSchema.parse(await response.json()).runs;
  }
}

const startEngine = (http: string): Promise<ReadyProcess> =>
  ReadyProcess.start({ args: ['flawless', '--jobs', 'off', '--http', http, '--max-runs', '64', '--threads', '1'] });

interface Play {
  readonly scene: Scene;
  readonly fleet: Fleet;
  readonly signal: AbortSignal;
}

/** Kills the busiest member each time some more jobs have changed, a few times. */
const killWhileRunning = async ({ scene, fleet, ids, signal }: Play & { ids: readonly string[] }): Promise<void> => {
  const over = new Set<string>();
  let changesLeft = 40;
  for await (const job of scene.client.events({ after: 0, signal })) {
    if (ids.includes(job.job_id) && isFinal(job.status)) over.add(job.job_id);
    if (over.size >= ids.length * 0.8 || fleet.kills.length === killsWanted) return;
    changesLeft -= 1;
    if (changesLeft > 0) continue;
    changesLeft = 150;
    await fleet.look();
    await fleet.killBusiest();
  }
};

/** Waits until the workers know that the members are back, and gives the pool as much work as it takes. @returns the jobs */
const publishUntilReturned = async (
  play: Play & { crawl: Parameters<Scene['publish']>[0][number] },
): Promise<readonly string[]> => {
  const { scene, fleet, crawl, signal } = play;
  await Promise.all(scene.cluster.workers.map((worker) => worker.says('its share step by step', signal)));
  const ids = await scene.publish(Array.from({ length: jobs }, () => crawl));
  for await (const job of scene.client.events({ after: 0, signal })) {
    if (ids.includes(job.job_id)) await fleet.look();
    if (fleet.areAllUsed) break;
  }
  return ids;
};

/**
 * A request may come twice only if its answer was lost with a member: it was on its way, or had been answered so shortly
 * before that the answer was not kept yet.
 */
const assertResentWereInFlight = (site: Site, kills: readonly Kill[]): void => {
  const shippingMsMax = 2_000;
  for (const [key, arrivals] of site.hits()) {
    for (const [index, { answeredAtMs }] of arrivals.slice(0, -1).entries()) {
      const again = arrivals[index + 1]?.atMs ?? 0;
      const isExcused = kills.some(
        ({ fromMs }) => again >= fromMs && (answeredAtMs === undefined || answeredAtMs >= fromMs - shippingMsMax),
      );
      assert.ok(isExcused, `${key} came again, and was not on its way when a member was killed`);
    }
    assert.ok(arrivals.length <= 1 + kills.length, `${key} came ${arrivals.length} times`);
  }
};

const assertAnsweredOnce = async (scene: Scene, ids: readonly string[]): Promise<void> => {
  for (const id of ids) {
    const { entries } = await scene.client.journal(id);
    const calls = entries.filter((entry) => entry.kind === 'answered').map((entry) => entry['call']);
    assert.equal(new Set(calls).size, calls.length, `job ${id} has a call that was answered twice`);
    assert.equal(entries.at(-1)?.kind, 'completed');
  }
};
