import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinkServer, ModuleDesk, openEngine, systemClock, systemRandom } from '@mvm-ci/engine';
import {
  encodeModule,
  moduleHash,
  mvmError,
  type ClaimedJob,
  type LenderCore,
  type LentEngine,
  type MvmError,
} from '@mvm-ci/protocol';
import { MemoryLink, Receiver, workflowModule } from '@mvm-ci/testkit';
import type { HostPorts, HostRun } from '../src/engine-host.ts';
import { peerHost } from '../src/engine-hosts/peer.ts';
import { lendEngine } from '../src/lend-engine.ts';
import { peerControlPlane } from '../src/peer-control-plane.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';

const file = encodeModule(
  workflowModule(`
    const statuses = [];
    for (let n = 1; n <= (input.times ?? 2); n++) statuses.push((await get(input.url, { method: 'POST', idempotent: true })).fetched.status);
    return statuses;`),
);
const node = 'n1';
const signal = new AbortController().signal;
const silentPorts: HostPorts = {
  openJournal: () => Promise.reject(new Error('the journal does not cross the link')),
  mayStartEffect: () => false,
  inbox: () => Promise.resolve([]),
  leaseLeftMs: () => 0,
};

/** A control plane in memory that lends a real engine, and a worker's host for it. */
class Lending implements AsyncDisposable {
  readonly cluster = new MemoryCluster();
  readonly receiver: Receiver;
  /** Held leases that last; a test may set others. */
  leaseLeftMs: LenderCore['leaseLeftMs'] = (_, { job, epoch }) => {
    const stored = this.cluster.stored(job);
    return stored.epoch === epoch && stored.holder ? 2_000 : undefined;
  };
  /** Entries that its engine has replayed. */
  replayed = (): number => 0;
  readonly #stop: (() => Promise<void>)[] = [];
  #lent: LentEngine | undefined;

  private constructor(receiver: Receiver) {
    this.receiver = receiver;
  }

  static async open(): Promise<Lending> {
    const lending = new Lending(await Receiver.start());
    await lending.#start();
    return lending;
  }

  get lent(): LentEngine {
    if (this.#lent) return this.#lent;
    throw new Error('not started');
  }

  /** A host of a worker, over a link of its own. */
  host(worker: string = node): ReturnType<typeof peerHost> {
    const host = peerHost({
      openChannel: async () => new MemoryLink(this.lent.accept(worker)),
      modules: () => Promise.reject(mvmError('MODULE_NOT_FOUND', 'modules do not cross the link')),
      clock: systemClock,
      random: fixedRandom,
      logger: new KeptLogger(),
    });
    this.#stop.unshift(() => host.stop());
    return host;
  }

  /** Publishes and claims a job. */
  claim(job: string): Promise<ClaimedJob> {
    this.cluster.publish(job);
    return this.claimAgain();
  }

  /** The lease of a job ends, and nobody has it. */
  expire(job: string): void {
    this.cluster.stored(job).holder = undefined;
    this.lent.leaseOver({ job, epoch: this.cluster.stored(job).epoch });
  }

  /** Claims a job that nobody holds. */
  async claimAgain(): Promise<ClaimedJob> {
    const controlPlane = peerControlPlane(this.cluster, systemClock);
    const { jobs } = await controlPlane.claim({ incarnation: 'i1', capacity: 1 }, { signal });
    const [claimed] = jobs;
    if (!claimed) throw new Error('nothing was claimed');
    const input = JSON.stringify({ url: this.receiver.url });
    return { ...claimed, module: moduleHash(file), workflow: 'main', input };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stop) await stop();
    await this.receiver[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const controlPlane = peerControlPlane(this.cluster, systemClock);
    await controlPlane.join({ protocol: 1, incarnation: 'i1' }, { signal });
    const desk = new ModuleDesk();
    const engine = await openEngine({ modules: desk.source, clock: systemClock, random: systemRandom, threads: 1 });
    this.replayed = () => engine.stats.replayedEntries;
    const links = new LinkServer({ engine, runsMax: 4, modules: desk, clock: systemClock });
    this.#lent = lendEngine({ links, clock: systemClock, random: fixedRandom, logger: new KeptLogger() })({
      module: () => Promise.resolve(file),
      journal: (_, lease) => controlPlane.journal(lease, { signal }),
      snapshot: (_, request) => controlPlane.snapshot(request, { signal }),
      append: async (_, appends) => (await controlPlane.append({ appends }, { signal })).results,
      finish: async (_, finishes) => (await controlPlane.finish({ finishes }, { signal })).results,
      leaseLeftMs: (worker, lease) => this.leaseLeftMs(worker, lease),
    });
    this.#stop.push(
      () => links.stop(),
      () => engine.stop(),
    );
  }
}

const codeOf = (error: MvmError | undefined): string | undefined => error?.code;

/** Runs until the host is connected. */
const begin = async (host: ReturnType<typeof peerHost>, job: ClaimedJob): Promise<HostRun> => {
  while (host.obstacle) await new Promise((resolve) => setImmediate(resolve));
  return host.run(job, silentPorts);
};

describe('lendEngine', () => {
  it('runs a worker’s job with its journal where it is stored', async () => {
    await using lending = await Lending.open();
    const run = await begin(lending.host(), await lending.claim('a'));
    const outcome = { type: 'completed', result: '[200,200]' } as const;
    assert.deepEqual(await run.ended, { type: 'finished', outcome });
    assert.deepEqual(lending.cluster.stored('a').outcome, outcome);
    assert.equal(lending.cluster.entries('a').length, 7);
  });

  it('stores a snapshot of a run that is given back, and goes on from it without the steps behind it', async () => {
    await using lending = await Lending.open();
    const input = JSON.stringify({ url: lending.receiver.url, times: 300 });
    const host = lending.host();
    const first = await begin(host, { ...(await lending.claim('a')), input });
    await lending.receiver.received('a', 100);
    first.release();
    assert.deepEqual(await first.ended, { type: 'finished', outcome: { type: 'released' } });
    const { entries = 0 } = lending.cluster.stored('a').snapshot ?? {};
    assert.ok(entries >= 200, `${entries} entries are behind the snapshot`);
    const second = await begin(host, { ...(await lending.claimAgain()), input });
    assert.equal((await second.ended).type, 'finished');
    assert.equal(lending.cluster.stored('a').outcome?.type, 'completed');
    assert.ok(lending.replayed() <= 2, `${lending.replayed()} entries were replayed`);
    assert.equal(new Set(lending.receiver.keys).size, 300);
    const asked = lending.cluster.requests.map(({ path }) => path).filter((path) => path.startsWith('/peer/journal/'));
    assert.deepEqual(asked.slice(1), ['/peer/journal/a?epoch=2&tail=1'], 'and never for the entries behind it');
  });

  it('ends the first run of a lease before the second begins, and sends no effect again whose answer is durable', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    lending.receiver.isHolding = true;
    const first = await begin(lending.host(), claimed);
    await lending.receiver.received('a', 1);
    const second = await begin(lending.host(), claimed);
    const end = await first.ended;
    assert.equal(end.type, 'interrupted');
    await lending.receiver.received('a', 2);
    lending.receiver.release();
    assert.equal((await second.ended).type, 'finished');
    assert.equal(lending.cluster.stored('a').finishes, 1);
    assert.deepEqual([...lending.receiver.arrivals('a').values()], [2, 1]);
  });

  it('waits for an append of the first run that is under way', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    const gate = Promise.withResolvers<undefined>();
    const appended = Promise.withResolvers<void>();
    lending.cluster.fault = (path) => {
      if (path !== '/peer/append') return undefined;
      appended.resolve();
      return gate.promise;
    };
    const first = await begin(lending.host(), claimed);
    await appended.promise;
    const second = await begin(lending.host(), claimed);
    assert.equal((await first.ended).type, 'interrupted');
    lending.cluster.fault = () => undefined;
    gate.resolve(undefined);
    assert.equal((await second.ended).type, 'finished');
    assert.deepEqual([...lending.receiver.arrivals('a').values()], [1, 1]);
  });

  it('drops a run whose lease is not the worker’s', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    const run = await begin(lending.host(), { ...claimed, epoch: claimed.epoch + 1 });
    assert.deepEqual(await run.ended, { type: 'dropped' });
    assert.deepEqual(lending.receiver.keys, []);
  });

  it('starts no effect when the keeper does not know the lease any more', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    let looks = 0;
    lending.leaseLeftMs = () => {
      looks += 1;
      return looks === 1 ? 2_000 : undefined;
    };
    assert.deepEqual(await (await begin(lending.host(), claimed)).ended, { type: 'dropped' });
    assert.deepEqual(lending.receiver.keys, []);
  });

  it('lets an effect wait for the heartbeat when the deadline has passed', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    let looks = 0;
    lending.leaseLeftMs = () => {
      looks += 1;
      return looks > 2 ? 2_000 : 0;
    };
    assert.equal((await (await begin(lending.host(), claimed)).ended).type, 'finished');
  });

  it('tells a worker that drops a run whether its finish was accepted before', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    const gate = Promise.withResolvers<undefined>();
    const finishing = Promise.withResolvers<void>();
    lending.cluster.fault = (path) => {
      if (path !== '/peer/finish') return undefined;
      finishing.resolve();
      return gate.promise;
    };
    const run = await begin(lending.host(), claimed);
    await finishing.promise;
    run.drop();
    gate.resolve(undefined);
    const end = await run.ended;
    assert.equal(end.type === 'finished' && end.outcome.type, 'completed');
  });

  it('drops a run at once when its lease is over, with its request under way', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    lending.receiver.isHolding = true;
    const run = await begin(lending.host(), claimed);
    await lending.receiver.received('a', 1);
    const aborted = lending.receiver.gone();
    lending.expire('a');
    assert.deepEqual(await run.ended, { type: 'dropped' });
    await aborted;
  });

  it('begins the next holder’s run without waiting for what the former one has sent, which its epoch refuses', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    const [gate, appended] = [Promise.withResolvers<undefined>(), Promise.withResolvers<void>()];
    let isFirst = true;
    lending.cluster.fault = (path) => {
      if (path !== '/peer/append' || !isFirst) return undefined;
      isFirst = false;
      appended.resolve();
      return gate.promise;
    };
    const first = await begin(lending.host(), claimed);
    await appended.promise;
    lending.expire('a');
    const second = await begin(lending.host('n2'), await lending.claimAgain());
    assert.deepEqual(await first.ended, { type: 'dropped' });
    assert.equal((await second.ended).type, 'finished');
    gate.resolve(undefined);
    assert.deepEqual([...lending.receiver.arrivals('a').values()], [1, 1]);
    assert.equal(lending.cluster.stored('a').finishes, 1);
  });

  it('lets no run of another node in the way of the holder’s', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    const { leaseLeftMs } = lending;
    lending.leaseLeftMs = (worker, lease) => (worker === node ? leaseLeftMs(worker, lease) : undefined);
    lending.receiver.isHolding = true;
    const own = await begin(lending.host(), claimed);
    await lending.receiver.received('a', 1);
    const strangers = [claimed, { ...claimed, epoch: claimed.epoch + 1 }];
    for (const job of strangers) {
      const run = await begin(lending.host('n2'), job);
      assert.deepEqual(await run.ended, { type: 'dropped' });
    }
    lending.receiver.release();
    assert.equal((await own.ended).type, 'finished');
    assert.deepEqual([...lending.receiver.arrivals('a').values()], [1, 1]);
  });

  it('leaves a finish that is on its way to its own answer when the lease’s end is told', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    const [gate, finishing] = [Promise.withResolvers<undefined>(), Promise.withResolvers<void>()];
    lending.cluster.fault = (path) => {
      if (path !== '/peer/finish') return undefined;
      finishing.resolve();
      return gate.promise;
    };
    const run = await begin(lending.host(), claimed);
    await finishing.promise;
    lending.lent.leaseOver(claimed);
    gate.resolve(undefined);
    assert.equal((await run.ended).type, 'finished');
  });

  it('does not mistake the end of an older lease for that of the run’s', async () => {
    await using lending = await Lending.open();
    await lending.claim('a');
    lending.expire('a');
    const claimed = await lending.claimAgain();
    lending.receiver.isHolding = true;
    const run = await begin(lending.host(), claimed);
    await lending.receiver.received('a', 1);
    lending.lent.leaseOver({ job: 'a', epoch: claimed.epoch - 1 });
    lending.receiver.release();
    assert.equal((await run.ended).type, 'finished');
  });

  for (const [where, path] of [
    ['reads its journal', '/peer/journal'],
    ['appends', '/peer/append'],
    ['finishes', '/peer/finish'],
  ] as const) {
    it(`waits for no store that is away when it stops while a run ${where}`, async () => {
      await using lending = await Lending.open();
      const claimed = await lending.claim('a');
      const asked = Promise.withResolvers<void>();
      lending.cluster.fault = (wanted) => {
        if (!wanted.startsWith(path)) return undefined;
        asked.resolve();
        throw mvmError('UNAVAILABLE', 'the store is closed');
      };
      const run = await begin(lending.host(), claimed);
      await asked.promise;
      lending.lent.stop();
      assert.notEqual((await run.ended).type, 'finished');
    });
  }

  it('forgets a run whose link broke while its journal was read, and lets the next one begin', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    const asked = Promise.withResolvers<void>();
    lending.cluster.fault = (path) => {
      if (!path.startsWith('/peer/journal')) return undefined;
      asked.resolve();
      throw mvmError('UNAVAILABLE', 'the store has too much to do');
    };
    const host = lending.host();
    const first = await begin(host, claimed);
    await asked.promise;
    await host.stop();
    await first.ended;
    lending.cluster.fault = () => undefined;
    assert.equal((await (await begin(lending.host(), claimed)).ended).type, 'finished');
  });

  it('passes on why a run can not go on anywhere', async () => {
    await using lending = await Lending.open();
    const claimed = await lending.claim('a');
    lending.cluster.fault = (path) => {
      if (path === '/peer/append') throw mvmError('LIMIT_EXCEEDED', 'the journal is full');
      return undefined;
    };
    const run = await begin(lending.host(), claimed);
    await assert.rejects(run.ended, (error: MvmError) => codeOf(error) === 'LIMIT_EXCEEDED');
  });
});
