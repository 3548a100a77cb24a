/** The surroundings of one case of the conformance suite: a host, its attempts, and a server that receives effects. */
import type { ModuleSource, RunEnd } from '@mvm-ci/engine';
import {
  encodeModule,
  moduleHash,
  mvmError,
  type ClaimedJob,
  type JournalEntry,
  type ModuleFile,
  type MvmError,
} from '@mvm-ci/protocol';
import { HeldAttempt, type AttemptPorts } from './held-attempt.ts';
import type { MessageCutter } from './message-cutter.ts';
import { Receiver } from './receiver.ts';

/** See `HostRunEnd` of the worker. */
export type ConformanceEnd = RunEnd | { readonly type: 'interrupted'; readonly error: MvmError };

/** See `HostRun` of the worker. */
export interface ConformanceRun {
  readonly ended: Promise<ConformanceEnd>;
  cancel(reason: string): void;
  release(): void;
  drop(): void;
}

/** See `EngineHost` of the worker. */
export interface ConformanceHost {
  run(job: ClaimedJob, ports: AttemptPorts): ConformanceRun;
  readonly obstacle: MvmError | undefined;
}

/** What the suite gives to whoever makes a host. */
export interface HarnessParts {
  readonly modules: ModuleSource;
  /** The attempts in this case, by job: for engines that find the journals themselves. */
  readonly attempts: ReadonlyMap<string, HeldAttempt>;
  /** Runs that the engine takes at the same time. */
  readonly runsMax: number;
}

/** A host and its engine, made afresh for each case. */
export interface EngineHostHarness {
  readonly host: ConformanceHost;
  /** Counts and cuts the link's messages; undefined for a host without a link. */
  readonly cutter?: MessageCutter | undefined;
  /** Loses the engine with all its runs; the host finds another one, or the same again. */
  readonly loseEngine?: (() => Promise<void>) | undefined;
  readonly stop: () => Promise<void>;
}

/** Makes a host. */
export type OpenHarness = (parts: HarnessParts) => Promise<EngineHostHarness>;

/** Runs that an engine takes at the same time, unless a case says otherwise. */
export const runsMax = 8;

/** How long a run may rest in the engines of this suite before it is suspended: two days. */
export const conformanceSuspendAfterMs = 172_800_000;

/** One case's surroundings. */
export class Bench implements AsyncDisposable {
  readonly harness: EngineHostHarness;
  readonly receiver: Receiver;
  readonly #attempts: Map<string, HeldAttempt>;
  readonly #files: Map<string, Uint8Array>;

  private constructor(parts: {
    readonly harness: EngineHostHarness;
    readonly receiver: Receiver;
    readonly attempts: Map<string, HeldAttempt>;
    readonly files: Map<string, Uint8Array>;
  }) {
    this.harness = parts.harness;
    this.receiver = parts.receiver;
    this.#attempts = parts.attempts;
    this.#files = parts.files;
  }

  static async open(open: OpenHarness, places: number = runsMax): Promise<Bench> {
    const attempts = new Map<string, HeldAttempt>();
    const files = new Map<string, Uint8Array>();
    const receiver = await Receiver.start();
    const harness = await open({ modules: shelf(files), attempts, runsMax: places });
    return new Bench({ harness, receiver, attempts, files });
  }

  /** A held attempt of a workflow in `file`. */
  attempt(
    job: string,
    file: ModuleFile,
    options: { readonly input?: unknown; readonly stored?: readonly JournalEntry[] } = {},
  ): HeldAttempt {
    const bytes = encodeModule(file);
    const module = moduleHash(bytes);
    this.#files.set(module, bytes);
    const input = JSON.stringify(options.input ?? { url: this.receiver.url });
    const claimed = { job, epoch: 1, attempt: 1, module, workflow: 'main', input, journalEntries: 0 };
    const attempt = new HeldAttempt(claimed, options.stored);
    this.#attempts.set(job, attempt);
    return attempt;
  }

  run(attempt: HeldAttempt): ConformanceRun {
    return this.harness.host.run(attempt.claimed, attempt);
  }

  /** Runs as a holder does: after an interruption again, from the stored journal. `onInterrupted` may look before that. */
  async runToEnd(attempt: HeldAttempt, onInterrupted: () => void = () => undefined): Promise<ConformanceEnd> {
    for (;;) {
      const end = await this.run(attempt).ended;
      await attempt.settled();
      if (end.type !== 'interrupted') return end;
      if (attempt.outcome) return { type: 'finished', outcome: attempt.outcome };
      onInterrupted();
      while (this.harness.host.obstacle) await turn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.harness.stop();
    await this.receiver[Symbol.asyncDispose]();
  }
}

const shelf =
  (files: ReadonlyMap<string, Uint8Array>): ModuleSource =>
  (hash) => {
    const file = files.get(hash);
    return file
      ? Promise.resolve(file)
      : Promise.reject(mvmError('MODULE_NOT_FOUND', `no module has the hash ${hash}`));
  };

/** A turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** So many turns that what could happen by itself has happened. */
export const turns = async (): Promise<void> => {
  for (let count = 0; count < 50; count += 1) await turn();
};

/** How a run ends that returned this, JSON text. */
export const completed = (result: string): ConformanceEnd => ({
  type: 'finished',
  outcome: { type: 'completed', result },
});

/** A case of the suite. */
export type Case = (open: OpenHarness) => Promise<void>;
