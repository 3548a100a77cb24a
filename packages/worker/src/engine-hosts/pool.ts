/**
 * Option 3: a pool of engine servers. It owns the members, finds them, and chooses one for each run; a member owns what is
 * known about it (`pool/pool-member.ts`).
 *
 *   1. No affinity: any member can go on with any job, since the journal is the job's and not the engine's.
 *   2. A run that breaks off ends as `interrupted`. Its holder asks again with the stored journal, and gets another member:
 *      the one that failed is avoided, and ejected if it goes on failing.
 *   3. A member that is no longer found gets no new run, and its runs end in peace.
 *   4. At most `ejectedShareMax` of the members are ejected for what happened to runs: that may be the fault of the jobs.
 *      Members that don't answer probes are ejected however many they are.
 */
import type { Replayer } from '@mvm-ci/engine';
import { mvmError, type ClaimedJob, type Logger, type MvmError, type Random } from '@mvm-ci/protocol';
import type { Clock } from '../clock.ts';
import type { EngineHost, EngineMember, EngineState, HostPorts, HostRun } from '../engine-host.ts';
import { poolLimits } from '../limits.ts';
import type { MemberSource } from './engine-setting.ts';
import { choose, hasRoom } from './pool/choice.ts';
import { Discovery } from './pool/discovery.ts';
import type { Dns } from './pool/dns.ts';
import type { MemberTarget } from './pool/member-target.ts';
import { PoolMember } from './pool/pool-member.ts';
import { poolReplayer } from './pool/pool-replayer.ts';
import { PoolRun } from './pool/pool-run.ts';

export interface EnginePoolOptions {
  readonly source: MemberSource;
  readonly dns: Dns;
  /** Makes the host of one server; the pool stops it. */
  readonly openMember: (target: Pick<MemberTarget, 'url' | 'address'>) => EngineMember;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  readonly logger: Logger;
}

/** An {@link EngineHost} over several engine servers. */
export class EnginePool implements EngineHost {
  readonly #options: EnginePoolOptions;
  readonly #discovery: Discovery;
  readonly #members = new Map<string, PoolMember>();
  readonly #replayer = poolReplayer(() => this.#replayers);
  #isStopped = false;

  /** Begins to look for its members at once. */
  constructor(options: EnginePoolOptions) {
    this.#options = options;
    this.#discovery = new Discovery({ ...options, onTargets: (targets) => this.#take(targets) });
    this.#discovery.start();
  }

  /** The members, in the order of their URLs. */
  get engines(): readonly EngineState[] {
    return this.#present.map(({ state }) => state).sort((a, b) => a.url.localeCompare(b.url));
  }

  get obstacle(): MvmError | undefined {
    return this.#present.some(({ candidate }) => hasRoom(candidate)) ? undefined : this.#absence();
  }

  get replayer(): Replayer | undefined {
    return this.#replayers.length > 0 ? this.#replayer : undefined;
  }

  run(job: ClaimedJob, ports: HostPorts): HostRun {
    return new PoolRun({ job, ports, choose: (tried) => this.#choose(tried), why: () => this.#absence() });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#discovery.stop();
    await Promise.all([...this.#members.values()].map((member) => member.stop()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  get #present(): readonly PoolMember[] {
    return [...this.#members.values()].filter(({ isStopped }) => !isStopped);
  }

  /** Those of the members that serve, the least busy first; how many runs one takes is no limit to them. */
  get #replayers(): readonly Replayer[] {
    const byRuns = this.#present.toSorted((a, b) => a.candidate.runs - b.candidate.runs);
    return byRuns.flatMap(({ replayer }) => replayer ?? []);
  }

  #choose(tried: ReadonlySet<PoolMember>): PoolMember | undefined {
    const untried = this.#present.filter((member) => !tried.has(member));
    const candidates = untried.map((member) => ({ member, ...member.candidate }));
    return choose(candidates, () => this.#options.random.unit())?.member;
  }

  /** The members are these from now on: rule 3 for the others. */
  #take(targets: readonly MemberTarget[]): void {
    if (this.#isStopped) return;
    const isFirst = this.#members.size === 0;
    for (const [id, member] of this.#members) if (!targets.some((target) => target.id === id)) member.leave();
    for (const target of targets) {
      const member = this.#members.get(target.id);
      if (member && !member.isStopped) member.join(target);
      else this.#members.set(target.id, this.#open(target, isFirst));
    }
    for (const [id, { isStopped }] of this.#members) if (isStopped) this.#members.delete(id);
  }

  #open(target: MemberTarget, startsWarm: boolean): PoolMember {
    const { openMember, clock, random, logger } = this.#options;
    return new PoolMember({
      target,
      host: openMember(target),
      startsWarm,
      mayEject: () => this.#mayEject(),
      onFailed: () => this.#discovery.refresh(),
      clock,
      random,
      logger,
    });
  }

  #mayEject(): boolean {
    const states = this.engines;
    const ejected = states.filter(({ state }) => state === 'ejected').length;
    return ejected + 1 <= states.length * poolLimits.ejectedShareMax;
  }

  /** Why healthy members can't be reached right now, if that is what hinders all of them. */
  #unlinked(): MvmError | undefined {
    const obstacles = this.#present.map(({ obstacle }) => obstacle);
    return obstacles.find((obstacle) => obstacle && obstacle.code !== 'ENGINE_BUSY');
  }

  /** Why no member can take a run. */
  #absence(): MvmError {
    const members = this.engines;
    if (members.length === 0)
      return this.#discovery.error ?? mvmError('UNAVAILABLE', 'the engine servers of the pool are being looked up');
    const serving = members.filter(({ state }) => state === 'healthy' || state === 'slow-start').length;
    if (serving > 0) return this.#unlinked() ?? busy(serving);
    if (members.every(({ state }) => state === 'new'))
      return mvmError('UNAVAILABLE', `none of the ${members.length} engine servers has answered yet`);
    const shown = members
      .slice(0, shownMax)
      .map(({ url, state, lastError }) => `${url}: ${lastError?.message ?? state}`);
    const rest = members.length > shownMax ? `; and ${members.length - shownMax} more` : '';
    return mvmError(
      'UNAVAILABLE',
      `none of the ${members.length} engine servers can be used (${shown.join('; ')}${rest})`,
    );
  }
}

const busy = (serving: number): MvmError =>
  mvmError('ENGINE_BUSY', `all ${serving} engine servers that are healthy have as many jobs as they take`);

/** Servers that a message names. */
const shownMax = 5;
