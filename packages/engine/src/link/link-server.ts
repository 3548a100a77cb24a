/**
 * Serves an engine over conversations: admission, and the end of all runs and replays.
 *
 *   1. At most `runsMax` runs have a place, and `servedReplaysMax` replays; further ones are told so before anything is started for them.
 *   2. After `drain` or `stop` none is admitted. No drain waits for a replay: who wants it asks elsewhere.
 *   3. Neither waits for a holder, or a store, that doesn't answer: `engineLimits.giveBackMsMax`, `dropMsMax`.
 */
import {
  type LinkFeature,
  linkFeatures,
  mvmError,
  type AcceptConversation,
  type Clock,
  type Conversation,
  type MvmError,
} from '@mvm-ci/protocol';
import type { Engine } from '../engine.ts';
import type { Replayer } from '../run/replay.ts';
import { engineLimits } from '../limits.ts';
import type { JournalKeeper } from './journal-keeper.ts';
import type { ModuleDesk } from './module-desk.ts';
import { Reception } from './reception.ts';
import { ServedReplay } from './served-replay.ts';
import { ServedRun } from './served-run.ts';

export interface LinkServerOptions {
  /** Whoever made it stops it, after the server. One that doesn't replay gets runs alone. */
  readonly engine: Pick<Engine, 'run'> & Partial<Replayer>;
  /** Runs at the same time. */
  readonly runsMax: number;
  /** Where the engine gets its modules from; its `source` is the engine's. @default the engine has a source of its own */
  readonly modules?: ModuleDesk | undefined;
  /** The engine's performer has the blobs of the holders' jobs. @default they are asked of the holders */
  readonly keepsBlobs?: boolean | undefined;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
}

/** Runs attempts for holders elsewhere. */
export class LinkServer {
  readonly runsMax: number;
  readonly #options: LinkServerOptions;
  readonly #runs = new Set<ServedRun>();
  readonly #replays = new Set<ServedReplay>();
  #closing: MvmError | undefined;
  #emptied = Promise.withResolvers<void>();

  constructor(options: LinkServerOptions) {
    this.runsMax = options.runsMax;
    this.#options = options;
  }

  /** Runs that have a place. */
  get runs(): number {
    return this.#runs.size;
  }

  /** Takes the conversations of one holder; with a keeper, its journals don't come over the link. */
  accept(keeper?: JournalKeeper): AcceptConversation {
    const { engine, clock, modules } = this.#options;
    const features = this.#featuresFor(keeper);
    const onAdmit = (run: ServedRun): MvmError | undefined => this.#admit(run);
    const onFreed = (run: ServedRun): void => this.#free(run);
    const parts = { engine, clock, modules, keeper, features, onAdmit, onFreed };
    return (conversation) =>
      new Reception({
        conversation,
        run: () => new ServedRun(conversation, parts),
        replay: () => this.#serveReplay(conversation, features),
      });
  }

  /** What holders who carry their journals find here beyond the protocol's number. */
  get features(): readonly LinkFeature[] {
    return this.#featuresFor(undefined);
  }

  #featuresFor(keeper: JournalKeeper | undefined): readonly LinkFeature[] {
    const { keepsBlobs = keeper !== undefined } = this.#options;
    const hasJournals = keeper !== undefined;
    // What is stored beside the engine doesn't come over the link.
    const missing: Partial<Record<LinkFeature, boolean>> = {
      blobs: keepsBlobs,
      snapshots: hasJournals,
      tails: hasJournals,
      replays: hasJournals || this.#replayer === undefined,
    };
    return linkFeatures.filter((feature) => missing[feature] !== true);
  }

  get #replayer(): Replayer | undefined {
    const { engine } = this.#options;
    return isReplayer(engine) ? engine : undefined;
  }

  /** @throws INVALID_ARGUMENT where no replays are served */
  #serveReplay(conversation: Conversation, features: readonly LinkFeature[]): ServedReplay {
    const { clock, modules } = this.#options;
    const replayer = this.#replayer;
    if (!replayer || !features.includes('replays'))
      throw mvmError('INVALID_ARGUMENT', 'this engine does no replays over a link');
    return new ServedReplay(conversation, {
      replayer,
      clock,
      modules,
      onAdmit: (replay) => this.#admitReplay(replay),
      onFreed: (replay) => void this.#replays.delete(replay),
    });
  }

  #admitReplay(replay: ServedReplay): MvmError | undefined {
    if (this.#closing) return this.#closing;
    const { servedReplaysMax: replaysMax } = engineLimits;
    if (this.#replays.size >= replaysMax)
      return mvmError('ENGINE_BUSY', `this engine does ${replaysMax} replays at the same time, and no more`, {
        replaysMax,
      });
    this.#replays.add(replay);
    return undefined;
  }

  /**
   * Admits nothing more, lets the runs end for `graceMs`, gives the others back, and drops those whose holders don't take them.
   * For the last `engineLimits.handOverMsMax` of the grace, runs take no step: what they have in flight ends, and they are given
   * back at rest. Resolves when none is left, or after rule 3's times.
   */
  async drain({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#closing ??= mvmError('UNAVAILABLE', 'this engine is going away: it takes no more runs', {
      draining: true,
    });
    const handOverMs = Math.min(graceMs, engineLimits.handOverMsMax);
    await this.#emptyWithin(graceMs - handOverMs);
    for (const run of this.#runs) run.handOver();
    await this.#emptyWithin(handOverMs);
    for (const run of this.#runs) run.release();
    await this.#emptyWithin(engineLimits.giveBackMsMax);
    await this.#drop(mvmError('CONNECTION_LOST', 'the engine is gone; the holder did not take the run back in time'));
  }

  /** Drops all runs; their holders go on elsewhere. Idempotent. */
  async stop(): Promise<void> {
    this.#closing ??= mvmError('UNAVAILABLE', 'this engine has stopped');
    await this.#drop(mvmError('CONNECTION_LOST', 'the engine has stopped'));
  }

  async #drop(error: MvmError): Promise<void> {
    for (const one of [...this.#runs, ...this.#replays]) one.close(error);
    await this.#emptyWithin(engineLimits.dropMsMax);
    // Those whose store doesn't answer are not waited for again.
    this.#runs.clear();
  }

  #admit(run: ServedRun): MvmError | undefined {
    if (this.#closing) return this.#closing;
    if (this.#runs.size >= this.runsMax)
      return mvmError(
        'ENGINE_BUSY',
        `this engine runs ${this.runsMax} jobs at the same time, and all places are taken`,
        {
          runsMax: this.runsMax,
        },
      );
    this.#runs.add(run);
    return undefined;
  }

  #free(run: ServedRun): void {
    this.#runs.delete(run);
    if (this.#runs.size > 0) return;
    this.#emptied.resolve();
    this.#emptied = Promise.withResolvers();
  }

  async #emptyWithin(ms: number): Promise<void> {
    if (this.#runs.size === 0 || ms === 0) return;
    const late = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(ms, late.resolve);
    await Promise.race([this.#emptied.promise, late.promise]);
    timer.cancel();
  }
}

const isReplayer = (engine: LinkServerOptions['engine']): engine is LinkServerOptions['engine'] & Replayer =>
  engine.replay !== undefined && engine.query !== undefined;
