/**
 * Carries out what the core of one attempt decides. It owns the guest's handle, the effects in flight and the calls to the
 * sink; it decides nothing itself.
 *
 *   1. Outputs are carried out in their order, those of one event before the next event.
 *   2. Effects live here and not with the guest: a guest that is lost or dropped from memory takes none of them along.
 *   3. After the end (a finish that was answered, a drop, a fault) no effect starts, every timer and request is gone, and
 *      the guest is closed; `ended` settles last.
 */
import {
  asMvmError,
  mvmError,
  RetryLaterError,
  StaleLeaseError,
  type FinishOutcome,
  type InboxItem,
  type JournalEntry,
} from '@mvm-ci/protocol';
import { traceFields, type Clock, type LogFields, type Timer, type Tracer } from '@mvm-ci/protocol';
import type { EffectPerformer } from '../effects/performer.ts';
import type { ReplayCounts } from '../engine-stats.ts';
import type { EngineRun, RunEnd, RunPorts, RunRequest } from '../engine.ts';
import type { Snapshot } from '../guest/guest-state.ts';
import type { StepOutcome } from '../guest/guest.ts';
import type { GuestStep } from './activation.ts';
import type { GuestHandle, GuestModule, ResumedState } from '../guest/guest-threads.ts';
import type { Logger } from '../logger.ts';
import { engineLimits, seedBytes } from '../limits.ts';
import type { LoadedModule } from '../module/loaded-module.ts';
import type { ModuleCache } from '../module/module-cache.ts';
import type { Random } from '../random.ts';
import { EffectsInFlight } from './effects-in-flight.ts';
import { failedOutcome } from './outcome.ts';
import { RidingEntries } from './riding-entries.ts';
import { beginningOf } from './run-beginning.ts';
import { RunCore } from './run-core.ts';
import type { RunOutput, Shipment } from './run-output.ts';
import { auditSnapshot } from './snapshot-audit.ts';
import { SnapshotWatch, type SnapshotAuditor } from './snapshot-watch.ts';

/** A run's guest, wherever it lives. */
type RunGuest = Pick<GuestHandle, 'step' | 'close' | 'capture' | 'memoryHash'>;

/** What a run takes from its engine. */
export interface RunParts {
  readonly modules: Pick<ModuleCache, 'get'>;
  readonly guests: { open(module: GuestModule, resume?: ResumedState): RunGuest };
  readonly performer: EffectPerformer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly tracer?: Tracer | undefined;
  /** See `EngineOptions.suspendAfterMs`. */
  readonly suspendAfterMs: number;
  readonly counts: ReplayCounts;
}

interface Watched {
  readonly guest: RunGuest;
  readonly core: RunCore;
  readonly module: LoadedModule;
  /** Whether the guest goes on from the request's snapshot. */
  readonly isResumed: boolean;
}

interface Audited {
  readonly core: RunCore;
  readonly module: LoadedModule;
  /** That the guest had taken. */
  readonly steps: number;
  readonly hash: string;
}

export class RunShell implements EngineRun {
  readonly ended: Promise<RunEnd>;
  readonly #request: RunRequest;
  readonly #ports: RunPorts;
  readonly #parts: RunParts;
  readonly #settle: PromiseWithResolvers<RunEnd> = Promise.withResolvers();
  readonly #over = new AbortController();
  readonly #effects: EffectsInFlight;
  readonly #riding: RidingEntries;
  #core: RunCore | undefined;
  #guest: RunGuest | undefined;
  /** Set until the core exists: the end that was asked for before the beginning. */
  #early: FinishOutcome | undefined;
  /** Entries that were stored when it began, and those of now. */
  #stored = 0;
  #journalled = 0;
  /** The whole journal, once steps are needed that a head stood for. */
  #whole: Promise<readonly JournalEntry[]> | undefined;
  #snapshots: SnapshotWatch | undefined;
  /** The question to the inbox that is open. */
  #listening: AbortController | undefined;
  /** Runs while the guest rests and may be given back. */
  #rest: Timer | undefined;
  readonly #outputs: RunOutput[] = [];
  #isCarryingOut = false;
  #hasStepped = false;

  /** Begins at once. */
  constructor(request: RunRequest, ports: RunPorts, parts: RunParts) {
    this.#request = request;
    this.#ports = ports;
    this.#parts = parts;
    this.ended = this.#settle.promise;
    const { clock, performer, tracer } = parts;
    this.#riding = new RidingEntries(clock, () => this.#ship());
    this.#effects = new EffectsInFlight({
      request,
      ports,
      performer,
      tracer,
      clock,
      unwanted,
      onAnswer: (call, answer) => this.#tell((core) => core.answered(call, answer, clock.wallMs())),
      onLeaseLost: () => this.#end({ type: 'dropped' }),
      onFault: (error) => this.#fault(error),
    });
    this.#begin().catch((error: unknown) => this.#fault(error));
  }

  cancel(reason: string): void {
    this.#parts.logger.debug({ ...this.#facts(), reason }, 'a run is cancelled');
    if (this.#core) this.#carryOut(this.#core.cancel());
    else this.#endEarly({ type: 'cancelled' });
  }

  release(): void {
    if (this.#core) this.#carryOut(this.#core.release());
    else this.#endEarly({ type: 'released' });
  }

  handOver(): void {
    if (this.#core) this.#carryOut(this.#core.handOver());
    else this.#endEarly({ type: 'released' });
  }

  drop(): void {
    this.#end({ type: 'dropped' });
  }

  async #begin(): Promise<void> {
    const module = await this.#loadModule();
    if (!module || this.#early || this.#over.signal.aborted) return;
    const { job, attempt, workflow, input } = this.#request;
    const { runtime, mapStack } = module;
    const { head, journal, standing, entries } = await beginningOf(this.#request, runtime);
    if (this.#early || this.#over.signal.aborted) return;
    this.#stored = entries;
    this.#journalled = entries;
    const seed = this.#parts.random.bytes(seedBytes);
    const { module: hash, inbox = [] } = this.#request;
    const { suspendAfterMs } = this.#parts;
    const facts = { job, attempt, module: hash, runtime, workflow, input, seed };
    const start = { ...facts, head, journal, inbox, suspendAfterMs };
    this.#guest = this.#parts.guests.open(module, standing);
    this.#core = new RunCore(start, mapStack);
    this.#watchSnapshots({ guest: this.#guest, core: this.#core, module, isResumed: standing !== undefined });
    this.#carryOut(this.#core.begin(this.#parts.clock.wallMs()));
  }

  #watchSnapshots({ guest, core, module, isResumed }: Watched): void {
    if (!this.#ports.saveSnapshot) return;
    const entries = isResumed ? (this.#request.snapshot?.entries ?? 0) : 0;
    const save = async (snapshot: Snapshot): Promise<void> => this.#ports.saveSnapshot?.(snapshot);
    const auditor: SnapshotAuditor = (steps, hash) => this.#audit({ core, module, steps, hash });
    const audit = (): SnapshotAuditor | undefined => (this.#isSampled() ? auditor : undefined);
    this.#snapshots = new SnapshotWatch({ guest, core, runtime: module.runtime, entries, save, audit });
  }

  #isSampled(): boolean {
    const [drawn = 0] = this.#parts.random.bytes(1);
    return drawn % engineLimits.snapshotsPerAudit === 0;
  }

  /** Never in the way of what the run does: see `snapshot-audit.ts`. @returns false when it found a difference */
  async #audit({ core, module, steps, hash }: Audited): Promise<boolean> {
    const { guests, logger } = this.#parts;
    if (this.#over.signal.aborted) return true;
    const recorded = (await this.#stepsFrom(core, 0)).slice(0, steps);
    if (this.#over.signal.aborted) return true;
    const verdict = await auditSnapshot({ replica: guests.open(module), steps: recorded, hash });
    if (verdict === 'differs')
      logger.warn({ ...this.#facts(), steps }, 'a replay from the first entry has another memory than the guest');
    else logger.debug({ ...this.#facts(), steps, verdict }, 'a snapshot was audited');
    return verdict !== 'differs';
  }

  /** The module, or undefined when the run ended because of it. */
  async #loadModule(): Promise<LoadedModule | undefined> {
    const { module: hash, workflow } = this.#request;
    try {
      const module = await this.#parts.modules.get(hash, this.#over.signal);
      if (module.workflows.includes(workflow)) return module;
      const message = `the module has no workflow "${workflow}", only ${module.workflows.join(', ')}`;
      this.#endEarly(failedOutcome({ code: 'WORKFLOW_NOT_FOUND', message }));
    } catch (thrown) {
      const error = asMvmError(thrown);
      this.#endEarly(error instanceof RetryLaterError ? { type: 'released' } : failedOutcome(error.toRecord()));
    }
    return undefined;
  }

  #endEarly(outcome: FinishOutcome): void {
    if (this.#early || this.#over.signal.aborted) return;
    this.#early = outcome;
    this.#finish(nothing, outcome);
  }

  #carryOut(outputs: readonly RunOutput[]): void {
    this.#outputs.push(...outputs);
    if (this.#isCarryingOut) return;
    this.#isCarryingOut = true;
    try {
      // What an output brings about at once (a timer that is due) comes after those that are here already.
      for (let output = this.#outputs.shift(); output && !this.#over.signal.aborted; output = this.#outputs.shift())
        this.#perform(output);
    } catch (error) {
      this.#fault(error);
    }
    this.#isCarryingOut = false;
  }

  #perform(output: RunOutput): void {
    switch (output.type) {
      case 'append':
        return this.#append(output);
      case 'step':
        return this.#step();
      case 'fetch':
        return this.#effects.fetch(output.intent);
      case 'wake':
        return this.#effects.wake(output.call, output.atMs);
      case 'abort':
        return this.#effects.abort(output.call);
      case 'listen':
        return this.#listen(output.after);
      case 'hush':
        return this.#hush();
      case 'rest':
        return this.#watchRest(output.ms);
      case 'finish':
        return this.#finish(output, output.outcome);
    }
  }

  #append(shipment: Shipment): void {
    this.#journalled += shipment.entries.length;
    this.#riding.add(shipment);
  }

  #ship(): void {
    const through = this.#journalled;
    const { entries, ...extras } = this.#riding.take();
    this.#ports.sink.append(entries, extras).then(
      ({ refused }) => this.#shipped(through, refused),
      (error: unknown) => this.#lose(error),
    );
  }

  #shipped(through: number, refused: readonly InboxItem[]): void {
    this.#tell((core) => core.durable(through, this.#parts.clock.wallMs(), refused));
    this.#snapshots?.durable(through).catch((error: unknown) => this.#missSnapshot(error));
  }

  /** What every log line about the run says. */
  #facts(): LogFields {
    const { job, attempt, trace } = this.#request;
    return { job, attempt, ...traceFields(trace) };
  }

  #missSnapshot(error: unknown): void {
    if (!this.#over.signal.aborted)
      this.#parts.logger.warn({ ...this.#facts(), err: error }, 'a snapshot could not be kept');
  }

  #step(): void {
    this.#rest?.cancel();
    const { core, guest } = { core: this.#core, guest: this.#guest };
    if (!core || !guest) return;
    const counted = this.#countReplay();
    let first = 0;
    guest
      .step((from) => {
        first = from;
        return this.#stepsFrom(core, from);
      })
      .then((outcome) => this.#stepped(outcome, () => counted?.(core.entriesAfter(first))))
      .catch((error: unknown) => this.#fault(error));
  }

  /** Those that a head stood for are read first: nobody needs them while the guest can be made from its snapshot. */
  #stepsFrom(core: RunCore, from: number): readonly GuestStep[] | Promise<readonly GuestStep[]> {
    const { leftOut } = this.#request;
    if (!leftOut || core.hasSteps(from)) return core.stepsFrom(from);
    this.#whole ??= leftOut.load();
    return this.#whole.then((journal) => {
      core.recallSteps(journal);
      return core.stepsFrom(from);
    });
  }

  #stepped(outcome: StepOutcome, counted: () => void): void {
    counted();
    this.#tell((core) => core.stepped(outcome, this.#parts.clock.wallMs()));
  }

  /** Of the first step of a run that goes on: what to call when it is over, with the entries that a snapshot stood for. */
  #countReplay(): ((spared: number) => void) | undefined {
    const entries = this.#stored;
    if (entries === 0 || this.#hasStepped) return undefined;
    this.#hasStepped = true;
    const { counts, clock } = this.#parts;
    const beganMs = clock.monotonicMs();
    return (spared) => {
      counts.replays += 1;
      counts.replayedEntries += entries - spared;
      counts.replaySeconds += (clock.monotonicMs() - beganMs) / 1_000;
    };
  }

  /** Asks the inbox until it has something. */
  #listen(after: number): void {
    this.#hush();
    const listening = new AbortController();
    this.#listening = listening;
    this.#hear(after, listening.signal).catch((error: unknown) => {
      if (!listening.signal.aborted) this.#lose(error);
    });
  }

  async #hear(after: number, signal: AbortSignal): Promise<void> {
    const items = await this.#ports.inbox?.(after, signal);
    if (items && !signal.aborted) this.#tell((core) => core.heard(items, this.#parts.clock.wallMs()));
  }

  #hush(): void {
    this.#listening?.abort(unwanted);
    this.#listening = undefined;
  }

  #watchRest(ms: number): void {
    const { clock } = this.#parts;
    this.#rest?.cancel();
    this.#rest = clock.after(ms, () => this.#tell((core) => core.rested(clock.wallMs())));
  }

  #tell(event: (core: RunCore) => readonly RunOutput[]): void {
    if (this.#core && !this.#over.signal.aborted) this.#carryOut(event(this.#core));
  }

  #finish(shipment: Shipment, outcome: FinishOutcome): void {
    this.#fallSilent();
    const last = this.#riding.take(shipment);
    const snapshots = isGivenBack(outcome) ? this.#snapshots : undefined;
    if (!snapshots?.isWorthwhile(this.#journalled + shipment.entries.length)) return this.#finishNow(last, outcome);
    this.#leave(snapshots, last)
      .then((left) => this.#finishNow(left, outcome))
      .catch((error: unknown) => this.#lose(error));
  }

  /**
   * Leaves a snapshot behind, for whoever goes on with the run. Its entries are stored before it (not in one transaction with the
   * finish), so that a crash in between costs nothing but the snapshot.
   *
   * @returns what is left for the finish
   */
  async #leave(snapshots: SnapshotWatch, { entries, ...extras }: Shipment): Promise<Shipment> {
    const left = snapshots.leave();
    left.catch(() => undefined);
    await this.#ports.sink.append(entries, entries.length > 0 ? extras : undefined);
    await left.then((handOn) => handOn()).catch((error: unknown) => this.#missSnapshot(error));
    return entries.length > 0 ? nothing : { entries, ...extras };
  }

  #finishNow({ entries, ...extras }: Shipment, outcome: FinishOutcome): void {
    this.#guest?.close();
    if (this.#over.signal.aborted) return;
    this.#ports.sink.finish(entries, outcome, extras).then(
      () => this.#end({ type: 'finished', outcome }),
      (error: unknown) => this.#lose(error),
    );
  }

  /** The sink refused: this holder can't go on. What the job's holder does about it is the holder's business. */
  #lose(error: unknown): void {
    if (!(error instanceof StaleLeaseError))
      this.#parts.logger.warn({ ...this.#facts(), err: error }, 'a run lost its sink');
    this.#end({ type: 'dropped' });
  }

  #end(end: RunEnd): void {
    this.#free();
    this.#settle.resolve(end);
  }

  #fallSilent(): void {
    this.#hush();
    this.#rest?.cancel();
  }

  #fault(error: unknown): void {
    this.#free();
    this.#settle.reject(error);
  }

  #free(): void {
    this.#over.abort(unwanted);
    this.#riding.take();
    this.#fallSilent();
    this.#effects.abortAll();
    this.#guest?.close();
  }
}

/** Why what is in flight is aborted. One for all: making an error for each costs more than the rest of an abort. */
const unwanted = mvmError('CANCELLED', 'the run no longer needs it');

const nothing: Shipment = { entries: [] };

/** Somebody else goes on with it. */
const isGivenBack = ({ type }: FinishOutcome): boolean => type === 'released' || type === 'suspended';
