/**
 * A job's run in a pool: at one server, or, while servers say that they are busy, at the next.
 *
 *   1. A busy server has started nothing: the journal that was opened for it is as it was, and serves the next one.
 *   2. Any other interruption ends the run: only the job's holder knows what of the journal is durable, and runs it again.
 *   3. What was asked of the run (cancel, release, drop) holds at whatever server it is.
 */
import type { ClaimedJob, MvmError } from '@mvm-ci/protocol';
import type { HostPorts, HostRun, HostRunEnd, OpenedJournal } from '../../engine-host.ts';
import type { PoolMember } from './pool-member.ts';

export interface PoolRunOptions {
  readonly job: ClaimedJob;
  readonly ports: HostPorts;
  /** A server for it, none of `tried`; undefined when there is none now. */
  readonly choose: (tried: ReadonlySet<PoolMember>) => PoolMember | undefined;
  /** Why there is none. */
  readonly why: () => MvmError;
}

export class PoolRun implements HostRun {
  readonly ended: Promise<HostRunEnd>;
  readonly #options: PoolRunOptions;
  readonly #ports: HostPorts;
  #current: HostRun | undefined;
  #isEnding = false;

  /** Begins at once. */
  constructor(options: PoolRunOptions) {
    this.#options = options;
    this.#ports = withOneJournal(options.ports);
    this.ended = this.#run();
  }

  cancel(reason: string): void {
    this.#isEnding = true;
    this.#current?.cancel(reason);
  }

  release(): void {
    this.#isEnding = true;
    this.#current?.release();
  }

  get handOver(): (() => void) | undefined {
    const run = this.#current;
    if (!run?.handOver) return undefined;
    return () => {
      this.#isEnding = true;
      run.handOver?.();
    };
  }

  drop(): void {
    this.#isEnding = true;
    this.#current?.drop();
  }

  async #run(): Promise<HostRunEnd> {
    const { job, choose, why } = this.#options;
    const tried = new Set<PoolMember>();
    for (;;) {
      const member = choose(tried);
      if (!member) return { type: 'interrupted', error: why() };
      tried.add(member);
      this.#current = member.run(job, this.#ports);
      const end = await this.#current.ended;
      if (end.type !== 'interrupted' || end.error.code !== 'ENGINE_BUSY' || this.#isEnding) return end;
    }
  }
}

const withOneJournal = (ports: HostPorts): HostPorts => {
  let opened: Promise<OpenedJournal> | undefined;
  return {
    get isFresh() {
      return ports.isFresh;
    },
    openJournal: (options) => (opened ??= ports.openJournal(options)),
    mayStartEffect: (signal) => ports.mayStartEffect(signal),
    inbox: (after, signal) => ports.inbox(after, signal),
    leaseLeftMs: () => ports.leaseLeftMs(),
    ...(ports.saveSnapshot && { saveSnapshot: ports.saveSnapshot.bind(ports) }),
  };
};
