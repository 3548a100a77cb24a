/**
 * Links that break, leases that end and go to another node, wishes, second runs, and a store that is slow, away or answers into
 * the void, in whatever order: a lent engine does one thing at a time for a job, and only for its holder.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinkServer, ModuleDesk, type Engine, type EngineRun, type RunEnd } from '@mvm-ci/engine';
import {
  mvmError,
  StaleLeaseError,
  type ClaimedJob,
  type FinishOutcome,
  type LeaseRef,
  type LentEngine,
  type MvmError,
} from '@mvm-ci/protocol';
import { MemoryLink } from '@mvm-ci/testkit';
import fc from 'fast-check';
import type { HostPorts, HostRun, HostRunEnd } from '../src/engine-host.ts';
import type { LinkHost } from '../src/engine-hosts/link.ts';
import { peerHost } from '../src/engine-hosts/peer.ts';
import { lendEngine } from '../src/lend-engine.ts';
import { peerControlPlane } from '../src/peer-control-plane.ts';
import { logEntry, textsOf } from './fixtures/entry.ts';
import { FakeClock, settled } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { KeptLogger } from './fixtures/kept-logger.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';

const job = 'a';
const effects = 3;
const module = 'ab'.repeat(32);
const runsMax = 4;
const signal = new AbortController().signal;
const away = mvmError('UNAVAILABLE', 'the store is away');

type Turn =
  | { readonly type: 'run' | 'break' | 'expire' | 'claim' | 'drop' | 'release' | 'give back' | 'done' | 'answer' }
  | { readonly type: 'advance'; readonly ms: number }
  /** The next request on this path is lost, before it came or after it was applied, or hangs until `answer`. */
  | { readonly type: 'fault'; readonly path: string; readonly how: 'before' | 'after' | 'slow' };

const turns: fc.Arbitrary<Turn> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 20, 100, 500).map((ms): Turn => ({ type: 'advance', ms })) },
  {
    weight: 6,
    arbitrary: fc.constantFrom<Turn>({ type: 'run' }, { type: 'run' }, { type: 'done' }, { type: 'claim' }),
  },
  { weight: 3, arbitrary: fc.constantFrom<Turn>({ type: 'break' }, { type: 'expire' }, { type: 'answer' }) },
  { weight: 1, arbitrary: fc.constantFrom<Turn>({ type: 'drop' }, { type: 'release' }, { type: 'give back' }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('fault' as const),
      path: fc.constantFrom('/peer/append', '/peer/append', '/peer/finish', '/peer/journal'),
      how: fc.constantFrom('before' as const, 'after' as const, 'slow' as const, 'slow' as const),
    }),
  },
);

const slowAppend: Turn = { type: 'fault', path: '/peer/append', how: 'slow' };
const pass: Turn = { type: 'advance', ms: 0 };
/** A second run, while what the first one has sent is on its way, and what the second sends is late as well. */
const overlap: Turn[] = [
  slowAppend,
  slowAppend,
  { type: 'run' },
  pass,
  { type: 'run' },
  pass,
  { type: 'answer' },
  pass,
];

describe('lendEngine, against an adversary', () => {
  it('runs a job for its holder alone, one run at a time, to one end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turns, { minLength: 1, maxLength: 50 }), async (script) => {
        const stage = await Stage.open();
        for (const turn of script) await stage.play(turn);
        await stage.end();
      }),
      { numRuns: 500, examples: [[overlap]] },
    );
  });
});

/** A run that performs one effect after another, each until the test says that it is done. */
class EffectRun implements EngineRun {
  readonly lease: LeaseRef;
  readonly #stage: Pick<Stage, 'begins' | 'isOver'>;
  readonly #ports: Parameters<Engine['run']>[1];
  readonly #end = Promise.withResolvers<RunEnd>();
  readonly #over = new AbortController();
  /** Two runs never write the same, as with real engines. */
  readonly #name: number;
  #effect: PromiseWithResolvers<void> | undefined;
  #isFinishing = false;

  constructor([request, ports]: Parameters<Engine['run']>, stage: Pick<Stage, 'begins' | 'isOver' | 'nextName'>) {
    this.#name = stage.nextName();
    this.lease = { job: request.job, epoch: Number(request.input) };
    this.#ports = ports;
    this.#stage = stage;
    this.#run(textsOf(request.journal)).catch((error: unknown) => {
      if (!(error instanceof StaleLeaseError) && !this.#over.signal.aborted) this.#end.reject(error);
      this.drop();
    });
  }

  get ended(): Promise<RunEnd> {
    return this.#end.promise;
  }

  get isActive(): boolean {
    return this.#effect !== undefined;
  }

  done(): void {
    this.#effect?.resolve();
    this.#effect = undefined;
  }

  cancel(): void {
    this.#finish({ type: 'cancelled' });
  }

  release(): void {
    this.#finish({ type: 'released' });
  }

  drop(): void {
    this.#over.abort();
    this.#effect = undefined;
    this.#stage.isOver(this);
    this.#end.resolve({ type: 'dropped' });
  }

  async #run(journal: readonly string[]): Promise<void> {
    const { sink } = this.#ports;
    for (let number = journal.filter((text) => text.startsWith('answer')).length; number < effects; number += 1) {
      await sink.append([logEntry(`intent ${number} of ${this.#name}`)]);
      if (this.#over.signal.aborted || this.#isFinishing) return;
      if (!(await this.#ports.mayStartEffect(this.#over.signal))) return this.drop();
      if (this.#over.signal.aborted || this.#isFinishing) return;
      this.#effect = Promise.withResolvers();
      this.#stage.begins(this, number);
      await this.#effect.promise;
      if (this.#over.signal.aborted || this.#isFinishing) return;
      await sink.append([logEntry(`answer ${number}`)]);
      if (this.#over.signal.aborted || this.#isFinishing) return;
    }
    this.#finish({ type: 'completed', result: '1' });
  }

  #finish(outcome: FinishOutcome): void {
    if (this.#isFinishing || this.#over.signal.aborted) return;
    this.#isFinishing = true;
    this.#effect = undefined;
    this.#ports.sink.finish([logEntry('end')], outcome).then(
      () => this.#finished(outcome),
      () => this.drop(),
    );
  }

  #finished(outcome: FinishOutcome): void {
    this.#stage.isOver(this);
    this.#end.resolve({ type: 'finished', outcome });
  }
}

const ports: HostPorts = {
  openJournal: () => Promise.reject(new Error('the journal does not cross the link')),
  mayStartEffect: () => false,
  inbox: () => Promise.resolve([]),
  leaseLeftMs: () => 0,
};

interface HostedRun {
  readonly run: HostRun;
  readonly epoch: number;
  isUnwanted?: boolean;
  end?: HostRunEnd;
}

/** The node that claims under this epoch. */
const nodeOf = (epoch: number): string => `n${epoch % 2}`;

/** A control plane that lends an engine, and two nodes. */
class Stage {
  readonly #cluster = new MemoryCluster();
  readonly #clock = new FakeClock();
  readonly #problems: string[] = [];
  readonly #runs = new Set<EffectRun>();
  readonly #links = new Map<string, Set<MemoryLink>>();
  readonly #hosts = new Map<string, LinkHost>();
  readonly #hosted: HostedRun[] = [];
  readonly #faults: (Turn & { readonly type: 'fault' })[] = [];
  readonly #slow = new Set<PromiseWithResolvers<undefined>>();
  readonly #controlPlane = peerControlPlane(this.#cluster, this.#clock);
  readonly #server: LinkServer;
  readonly #lent: LentEngine;
  #claimed: ClaimedJob | undefined;
  #heldEpoch: number | undefined;
  #names = 0;

  private constructor() {
    const clock = this.#clock;
    const engine: Pick<Engine, 'run'> = { run: (...parts) => this.#begin(parts) };
    this.#server = new LinkServer({ engine, runsMax, modules: new ModuleDesk(), clock });
    const lend = lendEngine({ links: this.#server, clock, random: fixedRandom, logger: new KeptLogger() });
    const controlPlane = this.#controlPlane;
    this.#lent = lend({
      module: () => Promise.reject(away),
      journal: (_, lease) => controlPlane.journal(lease, { signal }),
      append: async (_, appends) => (await controlPlane.append({ appends }, { signal })).results,
      finish: (_, finishes) =>
        this.#following(async () => (await controlPlane.finish({ finishes }, { signal })).results),
      leaseLeftMs: (worker, lease) => (worker === nodeOf(lease.epoch) && this.#holds(lease) ? 2_000 : undefined),
    });
    this.#cluster.fault = (path) => this.#faultOf(path);
  }

  static async open(): Promise<Stage> {
    const stage = new Stage();
    await stage.#controlPlane.join({ protocol: 1, incarnation: 'i1' }, { signal });
    for (const node of [nodeOf(0), nodeOf(1)]) stage.#openHost(node);
    stage.#cluster.publish(job);
    await stage.#claim();
    await stage.#advance(0);
    return stage;
  }

  /** An effect begins: the rules that it must not break. */
  begins(run: EffectRun, number: number): void {
    if (!this.#holds(run.lease)) this.#problems.push(`effect ${number} began without the lease ${run.lease.epoch}`);
    if ([...this.#runs].some((other) => other !== run && other.isActive))
      this.#problems.push(`effect ${number} began beside another run's`);
    if (textsOf(this.#cluster.entries(job)).includes(`answer ${number}`))
      this.#problems.push(`effect ${number} began again after its answer was durable`);
  }

  nextName(): number {
    this.#names += 1;
    return this.#names;
  }

  isOver(run: EffectRun): void {
    this.#runs.delete(run);
  }

  async play(turn: Turn): Promise<void> {
    switch (turn.type) {
      case 'run':
        if (this.#claimed) this.#run(this.#claimed);
        break;
      case 'break':
        for (const link of this.#links.get(nodeOf(this.#cluster.stored(job).epoch)) ?? []) link.close();
        break;
      case 'expire':
        await this.#following(async () => this.#cluster.expire(job));
        break;
      case 'claim':
        await this.#claim();
        break;
      case 'drop':
        this.#dropLast();
        break;
      case 'release':
        this.#hosted.at(-1)?.run.release();
        break;
      case 'give back':
        await this.#giveBack();
        break;
      case 'done':
        for (const run of this.#runs) run.done();
        break;
      case 'answer':
        this.#answer();
        // The end of a lease is told with the commit: not a turn of the event loop later, in which this would look.
        await settled();
        break;
      case 'fault':
        this.#faults.push(turn);
        break;
      case 'advance':
        return this.#advance(turn.ms);
    }
    this.#check();
  }

  /** Nothing goes wrong any more: the job is completed, and nothing is left. */
  async end(): Promise<void> {
    this.#faults.length = 0;
    for (let round = 0; round < 60 && this.#cluster.stored(job).outcome === undefined; round += 1) {
      this.#answer();
      await this.#claim();
      if (this.#claimed && this.#hosted.every(({ end }) => end)) this.#run(this.#claimed);
      await this.play({ type: 'done' });
      await this.#advance(500);
      // A lease whose run was dropped.
      if (round % 10 === 9) await this.play({ type: 'expire' });
    }
    await this.#advance(5_000);
    const { outcome, finishes } = this.#cluster.stored(job);
    assert.deepEqual([this.#problems, outcome?.type], [[], 'completed']);
    assert.ok(finishes >= 1);
    assert.deepEqual([this.#server.runs, this.#runs.size], [0, 0], 'something is left');
    assert.ok(
      this.#hosted.every(({ end }) => end),
      'a run never ended',
    );
    for (const host of this.#hosts.values()) await host.stop();
    assert.equal(this.#clock.pending, 0, 'a timer is left');
  }

  #begin(parts: Parameters<Engine['run']>): EffectRun {
    const run = new EffectRun(parts, this);
    this.#runs.add(run);
    return run;
  }

  #holds({ epoch }: Pick<LeaseRef, 'epoch'>): boolean {
    const stored = this.#cluster.stored(job);
    return stored.epoch === epoch && stored.holder !== undefined;
  }

  #dropLast(): void {
    const hosted = this.#hosted.at(-1);
    if (hosted) hosted.isUnwanted = true;
    hosted?.run.drop();
  }

  /** The only run of a lease hears that it has finished the job, unless its link broke. */
  #ended(hosted: HostedRun, end: HostRunEnd): void {
    hosted.end = end;
    const { epoch, outcome } = this.#cluster.stored(job);
    const ofLease = this.#hosted.filter((other) => other.epoch === hosted.epoch);
    if (ofLease.length > 1 || hosted.isUnwanted || end.type !== 'dropped') return;
    if (hosted.epoch === epoch && outcome?.type === 'completed') this.#problems.push('a finish was not told');
  }

  #openHost(node: string): void {
    const links = new Set<MemoryLink>();
    this.#links.set(node, links);
    const host = peerHost({
      openChannel: async () => {
        const link = new MemoryLink(this.#lent.accept(node));
        links.add(link);
        return link;
      },
      modules: () => Promise.reject(away),
      clock: this.#clock,
      random: fixedRandom,
      logger: new KeptLogger(),
    });
    this.#hosts.set(node, host);
  }

  #run(claimed: ClaimedJob): void {
    const host = this.#hosts.get(nodeOf(claimed.epoch));
    assert.ok(host);
    const hosted: HostedRun = { run: host.run(claimed, ports), epoch: claimed.epoch };
    this.#hosted.push(hosted);
    hosted.run.ended.then(
      (end) => this.#ended(hosted, end),
      (error: Error) => this.#problems.push(`a run failed: ${error.message}`),
    );
  }

  async #claim(): Promise<void> {
    const { holder, outcome } = this.#cluster.stored(job);
    if (holder !== undefined || outcome) return;
    const { jobs } = await this.#controlPlane.claim({ incarnation: 'i1', capacity: 1 }, { signal });
    const [claimed] = jobs;
    this.#claimed = claimed && { ...claimed, module, workflow: 'main', input: String(claimed.epoch) };
    this.#heldEpoch = claimed?.epoch;
  }

  /** The worker does it without its engine. */
  async #giveBack(): Promise<void> {
    if (!this.#claimed) return;
    const { epoch, attempt } = this.#claimed;
    const finishes = [{ job, epoch, attempt, outcome: { type: 'released' as const } }];
    this.#following(() => this.#controlPlane.finish({ finishes }, { signal })).catch(() => undefined);
    await settled();
  }

  /** As the control plane does: the end of a lease is told with the commit, before its answer. */
  async #following<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } finally {
      this.#follow();
    }
  }

  #follow(): void {
    const epoch = this.#heldEpoch;
    if (epoch === undefined || this.#holds({ epoch })) return;
    this.#heldEpoch = undefined;
    this.#lent.leaseOver({ job, epoch });
  }

  #check(): void {
    for (const run of this.#runs)
      if (run.isActive && !this.#holds(run.lease)) this.#problems.push('an effect went on after the lease');
  }

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    this.#check();
  }

  #answer(): void {
    for (const one of this.#slow) one.resolve(undefined);
    this.#slow.clear();
  }

  #faultOf(path: string): MvmError | undefined | Promise<MvmError | undefined> {
    const index = this.#faults.findIndex((fault) => path.startsWith(fault.path));
    const [fault] = index === -1 ? [] : this.#faults.splice(index, 1);
    if (!fault) return undefined;
    if (fault.how === 'before') throw away;
    if (fault.how === 'after') return away;
    const slow = Promise.withResolvers<undefined>();
    this.#slow.add(slow);
    return slow.promise;
  }
}
