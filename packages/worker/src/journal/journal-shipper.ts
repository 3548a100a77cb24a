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
  type InboxItem,
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
  /** `refused`: which of its effects inside the system were not done. */
  accepted(parcel: Parcel, refused?: readonly InboxItem[]): void;
  refused(parcel: Parcel, error: MvmError): void;
}

export interface JournalShipperOptions {
  readonly controlPlane: Pick<ControlPlane, 'append' | 'finish'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A parcel, and whom its answer is for. */
interface Shipment {
  readonly source: ParcelSource;
  readonly parcel: Parcel;
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
      const shipments = this.#gather();
      if (shipments.length === 0) return;
      this.#requests += 1;
      void this.#ship(shipments).finally(() => {
        this.#requests -= 1;
        this.#schedule();
      });
    }
  }

  /** What is ready of one kind, up to the size of a request. */
  #gather(): readonly Shipment[] {
    const shipments: Shipment[] = [];
    let bytes = 0;
    for (const source of this.#ready) {
      const kind = shipments[0]?.parcel.kind ?? source.nextKind;
      if (source.nextKind === undefined) this.#ready.delete(source);
      if (source.nextKind === undefined || source.nextKind !== kind) continue;
      const parcel = source.take();
      if (!parcel) continue;
      this.#ready.delete(source);
      shipments.push({ source, parcel });
      bytes += bytesOf(parcel);
      if (bytes >= workerLimits.shipRequestBytes || shipments.length >= limits.appendsMax) break;
    }
    return shipments;
  }

  /** Sends until every parcel has its answer. */
  async #ship(shipments: readonly Shipment[]): Promise<void> {
    const backoff = new Backoff(this.#options.clock, this.#options.random);
    let left = shipments;
    while (left.length > 0 && !this.#stopped.signal.aborted) {
      const before = left.length;
      left = await this.#deliver(left);
      if (left.length === before) await backoff.wait(this.#stopped.signal);
    }
  }

  /** Sends once. @returns what must be sent again */
  async #deliver(shipments: readonly Shipment[]): Promise<readonly Shipment[]> {
    const wanted = shipments.filter(({ source, parcel }) => source.take() === parcel);
    if (wanted.length === 0) return [];
    try {
      const answers = await this.#send(wanted.map(({ parcel }) => parcel));
      return settle(wanted, answers);
    } catch (thrown) {
      return this.#refusedAsWhole(wanted, asMvmError(thrown));
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

  async #refusedAsWhole(shipments: readonly Shipment[], error: MvmError): Promise<readonly Shipment[]> {
    if (this.#stopped.signal.aborted) return [];
    if (error instanceof RetryLaterError) return shipments;
    if (shipments.length > 1) {
      const { logger } = this.#options;
      logger.warn({ err: error, items: shipments.length }, 'a request was refused: sending its items singly');
      const left = await Promise.all(shipments.map((shipment) => this.#deliver([shipment])));
      return left.flat();
    }
    for (const { source, parcel } of shipments) source.refused(parcel, error);
    return [];
  }
}

const settle = (shipments: readonly Shipment[], answers: readonly ItemAnswer[]): readonly Shipment[] =>
  shipments.filter(({ source, parcel }, index) => {
    const answer = answers[index];
    if (answer === undefined) return false;
    if (answer.ok) {
      source.accepted(parcel, answer.refused);
      return false;
    }
    const error = errorFromRecord(answer.error);
    if (error instanceof RetryLaterError) return true;
    source.refused(parcel, error);
    return false;
  });

const bytesOf = (parcel: Parcel): number =>
  parcel.kind === 'append' ? parcel.item.bytes.length : (parcel.item.append?.bytes.length ?? 0);
