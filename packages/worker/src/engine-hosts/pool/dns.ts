import type { ServiceRecord } from './member-target.ts';

/** What a lookup found. */
export interface Found<T> {
  readonly records: readonly T[];
  /** How long it may be kept; undefined when the answer doesn't say. */
  readonly ttlMs?: number | undefined;
  /** A part of the question got no answer (AAAA, say): there may be more than these. */
  readonly isPartial: boolean;
}

/** Name lookups as a port. Nothing found is an empty answer; a lookup that failed rejects with an `Error` that says why. */
export interface Dns {
  /** A and AAAA records. */
  addresses(name: string, signal: AbortSignal): Promise<Found<string>>;
  /** SRV records. */
  services(name: string, signal: AbortSignal): Promise<Found<ServiceRecord>>;
}
