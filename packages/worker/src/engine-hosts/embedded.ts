/** Option 1: the engine lives in the worker's own process. It can't be lost without the worker: no run is interrupted. */
import type { Engine, EngineRun, Measured, Replayer } from '@mvm-ci/engine';
import type { ClaimedJob } from '@mvm-ci/protocol';
import type { EngineHost, HostPorts, HostRun, HostRunEnd } from '../engine-host.ts';

/** A host whose runs go to `engine`, which it stops, and so do replays if it does any. */
export const embeddedHost = (engine: Engine & Partial<Replayer & Measured>): EngineHost => ({
  replayer: isReplayer(engine) ? engine : undefined,
  obstacle: undefined,
  get stats() {
    return engine.stats;
  },
  run: (job, ports) => new EmbeddedRun(engine, job, ports),
  stop: () => engine.stop(),
  [Symbol.asyncDispose]: () => engine.stop(),
});

const isReplayer = (engine: Engine & Partial<Replayer>): engine is Engine & Replayer => engine.replay !== undefined;

class EmbeddedRun implements HostRun {
  readonly #settle = Promise.withResolvers<HostRunEnd>();
  #run: EngineRun | undefined;
  /** What was asked for before the journal was there. */
  #early: ((run: EngineRun) => void) | undefined;
  #isDropped = false;

  constructor(engine: Engine, job: ClaimedJob, ports: HostPorts) {
    this.#begin(engine, job, ports).then(this.#settle.resolve, this.#settle.reject);
  }

  get ended(): Promise<HostRunEnd> {
    return this.#settle.promise;
  }

  cancel(reason: string): void {
    this.#tell((run) => run.cancel(reason));
  }

  release(): void {
    this.#tell((run) => run.release());
  }

  handOver(): void {
    this.#tell((run) => (run.handOver ? run.handOver() : run.release()));
  }

  drop(): void {
    this.#isDropped = true;
    if (this.#run) this.#run.drop();
    else this.#settle.resolve({ type: 'dropped' });
  }

  async #begin(engine: Engine, claimed: ClaimedJob, ports: HostPorts): Promise<HostRunEnd> {
    const { job, attempt, module, workflow, input, trace } = claimed;
    const { entries: journal, sink, ...stored } = await ports.openJournal({ mayLeaveOut: true });
    const { inbox, snapshot, leftOut } = stored;
    if (this.#isDropped) return { type: 'dropped' };
    const run = engine.run(
      { job, attempt, module, workflow, input, journal, inbox, snapshot, leftOut, trace },
      {
        sink,
        mayStartEffect: (signal) => ports.mayStartEffect(signal),
        inbox: (after, signal) => ports.inbox(after, signal),
        ...(ports.saveSnapshot && { saveSnapshot: ports.saveSnapshot.bind(ports) }),
      },
    );
    this.#run = run;
    this.#early?.(run);
    return run.ended;
  }

  #tell(wish: (run: EngineRun) => void): void {
    if (this.#run) wish(this.#run);
    // The first wish holds, as in a run.
    else this.#early ??= wish;
  }
}
