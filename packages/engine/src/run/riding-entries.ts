/**
 * Entries that nobody waits for (`started`, `answered`): they leave with the entries that follow, or after `rideAlongMs`. What the
 * guest wants next is usually there before, and saves a request and a sync. It owns what waits, and the timer that ends the wait.
 */
import type { Clock, JournalEntry, Timer } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import type { Shipment } from './run-output.ts';

export class RidingEntries {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #ship: () => void;
  #waiting: Shipment = nothing;
  #timer: Timer | undefined;

  /** `ship` is called when what waits shall leave, and takes it. */
  constructor(clock: Pick<Clock, 'after'>, ship: () => void) {
    this.#clock = clock;
    this.#ship = ship;
  }

  /** Waits behind what waits already, or lets all of it leave at once. */
  add(shipment: Shipment): void {
    this.#waiting = joined(this.#waiting, shipment);
    if (!shipment.entries.every(ridesAlong)) return this.#ship();
    this.#timer ??= this.#clock.after(engineLimits.rideAlongMs, this.#ship);
  }

  /** What waits, and `last` behind it; nothing waits any longer. */
  take(last?: Shipment): Shipment {
    const taken = last ? joined(this.#waiting, last) : this.#waiting;
    this.#waiting = nothing;
    this.#timer?.cancel();
    this.#timer = undefined;
    return taken;
  }
}

const nothing: Shipment = { entries: [] };

/** Two shipments as one: what the first says of progress is older. */
const joined = (first: Shipment, { entries, internal = [], progress = first.progress }: Shipment): Shipment => {
  const effects = [...(first.internal ?? []), ...internal];
  return {
    entries: [...first.entries, ...entries],
    ...(effects.length > 0 && { internal: effects }),
    ...(progress && { progress }),
  };
};

const ridesAlong = ({ kind }: JournalEntry): boolean => kind === 'started' || kind === 'answered';
