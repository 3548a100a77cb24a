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

/** The durable journal of one job that a killed worker held, as `GET /queue/journal/{job}` shows it. */
export interface AuditedJournal {
  readonly job_id: string;
  readonly attempt: number;
  readonly entries: readonly AuditedEntry[];
}

/** A journal entry, as far as the audit reads it. */
export interface AuditedEntry {
  readonly kind: string;
  readonly [field: string]: unknown;
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
  /** When the answer to a call was noted in its journal, as far as that is known. */
  readonly #answeredMs = new Map<string, number>();

  /** Notes that a worker is dead, with the stored journals of the jobs that it held, read after its end. */
  noteKill(atMs: number, journals: readonly AuditedJournal[]): void {
    this.#kills.push({ atMs, open: new Set(journals.flatMap(openCalls)) });
  }

  /**
   * Notes that a worker is dead whose jobs ran in an engine elsewhere, which goes on until their leases are over: what was in
   * flight then, no reading at the kill can tell. So this takes their journals as they are in the end: what was answered
   * after the kill may have come twice, but not after its answer was noted.
   */
  noteKillOfHolder(atMs: number, journals: readonly AuditedJournal[]): void {
    const answers = journals.flatMap(answersOf);
    for (const { key, ms } of answers) this.#answeredMs.set(key, ms);
    const before = new Set(answers.filter(({ ms }) => ms <= atMs).map(({ key }) => key));
    this.#kills.push({ atMs, open: new Set(journals.flatMap(askedCalls).filter((key) => !before.has(key))) });
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
    if (atMs > (this.#answeredMs.get(key) ?? Infinity)) return false;
    const kill = this.#kills.find(
      (candidate) => candidate.atMs <= atMs && candidate.open.has(key) && excused.get(candidate)?.has(key) === false,
    );
    if (!kill) return false;
    excused.get(kill)?.add(key);
    return true;
  }
}

const openCalls = (journal: AuditedJournal): readonly string[] => {
  const answered = new Set(answersOf(journal).map(({ key }) => key));
  return askedCalls(journal).filter((key) => !answered.has(key));
};

/** The keys of all requests that a journal asked for. */
const askedCalls = (journal: AuditedJournal): readonly string[] =>
  journal.entries
    .flatMap(intentsOf)
    .filter(isFetch)
    .map(({ call }) => keyOf(journal, call));

/** The keys of all answers in a journal, and when they were noted, Unix ms. */
const answersOf = (journal: AuditedJournal): readonly { readonly key: string; readonly ms: number }[] =>
  journal.entries
    .filter(({ kind }) => kind === 'answered')
    .map((entry) => ({ key: keyOf(journal, entry['call']), ms: Number(entry['at']) }));

const keyOf = ({ job_id, attempt }: AuditedJournal, call: unknown): string => `${job_id}:${attempt}:${String(call)}`;

const intentsOf = (entry: AuditedEntry): readonly unknown[] => {
  const intents = entry['intents'];
  return Array.isArray(intents) ? intents : [];
};

const isFetch = (intent: unknown): intent is { readonly call: number } =>
  typeof intent === 'object' && intent !== null && 'type' in intent && intent.type === 'fetch' && 'call' in intent;
