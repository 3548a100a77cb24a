/**
 * Carries the parcels of all sinks of a worker to the control plane: what is ready at the same time goes in one request,
 * and few requests are on their way at once, so that under load the batches grow instead of the number of requests.
 *
 *   1. A parcel is sent, unchanged, until the control plane has accepted or refused it (I3 makes that harmless), or its
 *      source has withdrawn it.
 *   2. A source has one parcel out at a time: the order within a job is the source's.
 *   3. One bad parcel harms no other: a request that is refused as a whole is sent again parcel by parcel.
 */
import {
  mvmError,
  asMvmError,
  limits,
  RetryLaterError,
  type AppendItem,
  type FinishItem,
  type ItemAnswer,
  type MvmError,
  errorFromRecord,
} from '@mvm-ci/protocol';
import { Backoff } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { ControlPlane } from '../control-plane.ts';
import { workerLimits } from '../limits.ts';
import type { Logger } from '../logger.ts';
import type { Random } from '../random.ts';

/** What a sink has to send next. */
export type Parcel =
  | { readonly kind: 'append'; readonly item: AppendItem }
  | { readonly kind: 'finish'; readonly item: FinishItem };

/** Where parcels come from: one sink. */
export interface ParcelSource {
  /** Kind of the next parcel; undefined when there is none (any more). */
  readonly nextKind: Parcel['kind'] | undefined;
  /** The next parcel; the same one until it was answered. */
  take(): Parcel | undefined;
  accepted(): void;
  refused(error: MvmError): void;
}

export interface JournalShipperOptions {
  readonly controlPlane: Pick<ControlPlane, 'append' | 'finish'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Parcels of one kind that travel together. */
interface Load {
  readonly kind: Parcel['kind'];
  readonly sources: readonly ParcelSource[];
}

/** One shipper serves a whole worker. */
export class JournalShipper {
  readonly #options: JournalShipperOptions;
  readonly #ready = new Set<ParcelSource>();
  readonly #stopped = new AbortController();
  #requests = 0;
  #scheduled = false;

  constructor(options: JournalShipperOptions) {
    this.#options = options;
  }

  /** Says that `source` has a parcel. */
  offer(source: ParcelSource): void {
    this.#ready.add(source);
    this.#schedule();
  }

  /** Sends nothing more. Idempotent. */
  stop(): void {
    this.#stopped.abort();
    this.#ready.clear();
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped.signal.aborted) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#requests < workerLimits.shipRequestsMax) {
      const load = this.#gather();
      if (!load) return;
      this.#requests += 1;
      void this.#ship(load).finally(() => {
        this.#requests -= 1;
        this.#schedule();
      });
    }
  }

  #gather(): Load | undefined {
    const sources: ParcelSource[] = [];
    let kind: Parcel['kind'] | undefined;
    let bytes = 0;
    for (const source of this.#ready) {
      const next = source.nextKind;
      if (next === undefined) this.#ready.delete(source);
      if (next === undefined || (kind !== undefined && next !== kind)) continue;
      const parcel = source.take();
      if (!parcel) continue;
      this.#ready.delete(source);
      sources.push(source);
      kind = next;
      bytes += bytesOf(parcel);
      if (bytes >= workerLimits.shipRequestBytes || sources.length >= limits.appendsMax) break;
    }
    return kind && { kind, sources };
  }

  /** Sends until every parcel of the load has its answer. */
  async #ship(load: Load): Promise<void> {
    const backoff = new Backoff(this.#options.clock, this.#options.random);
    let { sources } = load;
    while (sources.length > 0 && !this.#stopped.signal.aborted) {
      const before = sources.length;
      sources = await this.#deliver({ kind: load.kind, sources });
      if (sources.length === before) await backoff.wait(this.#stopped.signal);
    }
  }

  /** Sends once. @returns the sources whose parcels must be sent again */
  async #deliver(load: Load): Promise<readonly ParcelSource[]> {
    const sources = load.sources.filter((source) => source.nextKind === load.kind);
    const parcels = sources.map((source) => source.take()).filter((parcel) => parcel !== undefined);
    if (parcels.length === 0) return [];
    try {
      const answers = await this.#send(parcels);
      return settle(sources, answers);
    } catch (thrown) {
      return this.#refusedAsWhole({ kind: load.kind, sources }, asMvmError(thrown));
    }
  }

  async #send(parcels: readonly Parcel[]): Promise<readonly ItemAnswer[]> {
    const { controlPlane } = this.#options;
    const options = { signal: this.#stopped.signal };
    const appends = parcels.flatMap((parcel) => (parcel.kind === 'append' ? [parcel.item] : []));
    const finishes = parcels.flatMap((parcel) => (parcel.kind === 'finish' ? [parcel.item] : []));
    const { results } =
      appends.length > 0
        ? await controlPlane.append({ appends }, options)
        : await controlPlane.finish({ finishes }, options);
    if (results.length === parcels.length) return results;
    throw mvmError('INTERNAL', `${parcels.length} items were sent and ${results.length} answered`);
  }

  async #refusedAsWhole(load: Load, error: MvmError): Promise<readonly ParcelSource[]> {
    if (this.#stopped.signal.aborted) return [];
    if (error instanceof RetryLaterError) return load.sources;
    const [first, ...others] = load.sources;
    if (others.length > 0) {
      this.#options.logger.warn(
        { err: error, items: load.sources.length },
        'a request was refused: sending its items singly',
      );
      const left = await Promise.all(
        load.sources.map((source) => this.#deliver({ kind: load.kind, sources: [source] })),
      );
      return left.flat();
    }
    first?.refused(error);
    return [];
  }
}

const settle = (sources: readonly ParcelSource[], answers: readonly ItemAnswer[]): readonly ParcelSource[] => {
  const again: ParcelSource[] = [];
  sources.forEach((source, index) => {
    const answer = answers[index];
    if (answer === undefined) return;
    if (answer.ok) {
      source.accepted();
      return;
    }
    const error = errorFromRecord(answer.error);
    if (error instanceof RetryLaterError) again.push(source);
    else source.refused(error);
  });
  return again;
};

const bytesOf = (parcel: Parcel): number =>
  parcel.kind === 'append' ? parcel.item.bytes.length : (parcel.item.append?.bytes.length ?? 0);
