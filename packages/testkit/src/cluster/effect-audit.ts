/**
 * Counts effects at the receiver, against what journals said when a worker was killed (design section 11).
 *
 * A request that arrives after its answer was durable is a *duplicate*: exactly what the journal exists to prevent. One
 * whose answer was lost with the killed worker is *resent*, and there can be at most as many of those as were in
 * flight.
 */

/** One request as the receiver saw it. */
export interface Arrival {
  /** Its `Idempotency-Key`. */
  readonly key: string;
  /** Receiver's clock, ms. */
  readonly atMs: number;
}

/** A journal entry as the API shows it, as far as the audit reads it. */
export interface AuditedEntry {
  readonly kind: string;
  readonly call?: number | undefined;
  readonly intents?: readonly { readonly type: string; readonly call?: number | undefined }[] | undefined;
}

/** The durable journal of one job that a killed worker held. */
export interface AuditedJournal {
  readonly job: string;
  readonly attempt: number;
  readonly entries: readonly AuditedEntry[];
}

/** What the receiver saw, judged. */
export interface EffectVerdict {
  /** Different effects that arrived. */
  readonly effects: number;
  /** Requests that came again, their answer lost with a worker. */
  readonly resent: number;
  /** Requests that came again though their answer was durable, or though nobody was killed. */
  readonly duplicated: readonly string[];
  /** Calls that were asked for and not answered when their worker was killed: the bound of `resent`. */
  readonly inFlight: number;
}

interface Kill {
  readonly atMs: number;
  readonly open: ReadonlySet<string>;
}

/** Collects kills, then judges the arrivals. */
export class EffectAudit {
  readonly #kills: Kill[] = [];

  /** Notes that a worker is dead, with the stored journals of the jobs that it held, read after its end. */
  noteKill(atMs: number, journals: readonly AuditedJournal[]): void {
    this.#kills.push({ atMs, open: new Set(journals.flatMap(openCalls)) });
  }

  /** Judges all requests that the receiver saw. */
  judge(arrivals: readonly Arrival[]): EffectVerdict {
    const byKey = Map.groupBy(arrivals, (arrival) => arrival.key);
    const again = [...byKey.values()].flatMap((same) => same.toSorted((a, b) => a.atMs - b.atMs).slice(1));
    const excused = new Map<Kill, Set<string>>(this.#kills.map((kill) => [kill, new Set()]));
    const duplicated = again.filter((arrival) => !this.#excuse(arrival, excused)).map((arrival) => arrival.key);
    return {
      effects: byKey.size,
      resent: again.length - duplicated.length,
      duplicated,
      inFlight: this.#kills.reduce((sum, kill) => sum + kill.open.size, 0),
    };
  }

  // One kill excuses one more arrival of each call that was open at it, not two.
  #excuse({ key, atMs }: Arrival, excused: ReadonlyMap<Kill, Set<string>>): boolean {
    const kill = this.#kills.find(
      (candidate) => candidate.atMs <= atMs && candidate.open.has(key) && excused.get(candidate)?.has(key) === false,
    );
    if (!kill) return false;
    excused.get(kill)?.add(key);
    return true;
  }
}

const openCalls = ({ job, attempt, entries }: AuditedJournal): readonly string[] => {
  const asked = entries.flatMap((entry) => entry.intents ?? []).filter((intent) => intent.type === 'fetch');
  const answered = new Set(entries.filter((entry) => entry.kind === 'answered').map((entry) => entry.call));
  return asked.filter((intent) => !answered.has(intent.call)).map((intent) => `${job}:${attempt}:${intent.call}`);
};
