/**
 * An engine at the other end of a link: the host behind options 2, 3 and 4. Runs share one connection, each as a
 * conversation of its own.
 */
import type { Replayer } from '@mvm-ci/engine';
import type { BlobPort, ClaimedJob, LinkFeature, MvmError } from '@mvm-ci/protocol';
import type { Clock } from '../clock.ts';
import type { EngineHost, HostPorts, HostRun } from '../engine-host.ts';
import { workerLimits } from '../limits.ts';
import type { ModuleSource } from '../module-source.ts';
import type { LinkDialer } from './link-dialer.ts';
import { LinkReplayer } from './link-replayer.ts';
import { LinkRun } from './link-run.ts';

export interface LinkHostOptions {
  /** The way to the engine; the host starts and stops it. */
  readonly dialer: LinkDialer;
  /** See `RunMessage`. */
  readonly journal: 'carried' | 'kept';
  /** For an engine that asks for modules. */
  readonly modules: ModuleSource;
  /** See `LinkRunOptions`. */
  readonly blobs?: BlobPort | undefined;
  readonly clock: Clock;
}

interface Refusal {
  readonly error: MvmError;
  readonly atMs: number;
}

export class LinkHost implements EngineHost {
  readonly #options: LinkHostOptions;
  readonly #runs = new Set<HostRun>();
  readonly #replayer: Replayer;
  #refusal: Refusal | undefined;

  /** Begins to connect. */
  constructor(options: LinkHostOptions) {
    const { dialer, modules, clock } = options;
    this.#options = options;
    this.#replayer = new LinkReplayer({ connection: () => dialer.connection(), modules, clock });
    dialer.start();
  }

  /** No connection; or, for a moment after it, that the engine had no place for a run. */
  get obstacle(): MvmError | undefined {
    const { dialer, clock } = this.#options;
    if (this.#refusal && clock.monotonicMs() - this.#refusal.atMs >= workerLimits.busyMs) this.#refusal = undefined;
    return dialer.obstacle ?? this.#refusal?.error;
  }

  /** Undefined until an engine is connected that lists replays. */
  get replayer(): Replayer | undefined {
    return this.#options.dialer.features.includes(replays) ? this.#replayer : undefined;
  }

  run(job: ClaimedJob, ports: HostPorts): HostRun {
    const { dialer, journal, modules, blobs, clock } = this.#options;
    const run = new LinkRun({
      connection: () => dialer.connection(),
      job,
      ports,
      journal,
      modules,
      blobs,
      onAdmission: (error) => {
        this.#refusal = error && { error, atMs: clock.monotonicMs() };
      },
    });
    this.#runs.add(run);
    const forget = (): boolean => this.#runs.delete(run);
    run.ended.then(forget, forget);
    return run;
  }

  async stop(): Promise<void> {
    for (const run of this.#runs) run.drop();
    await this.#options.dialer.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

const replays: LinkFeature = 'replays';
