/**
 * Finds the servers of a pool and tells when they change. It owns the lookups and their timer.
 *
 *   1. A lookup that failed, or found nothing, changes nothing: the servers that are known stay. A pool is never emptied by
 *      its name server.
 *   2. An answer to half of the question adds servers and removes none.
 *   3. At most one lookup is out; between two of them lie at least `resolveMsMin`.
 *   4. What goes wrong is said once, and again when it is over.
 */
import { mvmError, type Logger, type MvmError, type Random, type Timer } from '@mvm-ci/protocol';
import { pause, type Clock } from '../../clock.ts';
import { poolLimits } from '../../limits.ts';
import type { MemberSource } from '../engine-setting.ts';
import type { Dns, Found } from './dns.ts';
import { addressTargets, serviceTargets, urlTargets, type MemberTarget } from './member-target.ts';

export interface DiscoveryOptions {
  readonly source: MemberSource;
  readonly dns: Dns;
  readonly clock: Clock;
  readonly random: Pick<Random, 'unit'>;
  readonly logger: Logger;
  /** The servers, at the beginning and whenever they changed. */
  readonly onTargets: (targets: readonly MemberTarget[]) => void;
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #stopped = new AbortController();
  #known: readonly MemberTarget[] = [];
  #error: MvmError | undefined;
  #failures = 0;
  #timer: Timer | undefined;
  #isAsking = false;
  #isWanted = false;
  #askedMs = -Infinity;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Why the last lookup brought nothing; undefined when it did. */
  get error(): MvmError | undefined {
    return this.#error;
  }

  /** Tells the servers of a list at once, and those of a name as soon as they are known. */
  start(): void {
    const { source } = this.#options;
    if (source.type === 'urls') this.#learn(urlTargets(source.urls));
    else void this.#ask(source);
  }

  /** A server failed: looks whether there are others, as soon as rule 3 lets it. */
  refresh(): void {
    if (this.#options.source.type === 'urls' || this.#stopped.signal.aborted) return;
    this.#isWanted = true;
    if (!this.#isAsking) this.#schedule(this.#askedMs + poolLimits.resolveMsMin - this.#options.clock.monotonicMs());
  }

  stop(): void {
    this.#stopped.abort();
    this.#timer?.cancel();
  }

  async #ask(source: Exclude<MemberSource, { readonly type: 'urls' }>): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#isWanted = false;
    this.#askedMs = this.#options.clock.monotonicMs();
    const nextMs = await this.#lookUp(source);
    this.#isAsking = false;
    if (this.#stopped.signal.aborted) return;
    if (this.#isWanted) this.refresh();
    else this.#schedule(nextMs);
  }

  /** @returns when to look again, in ms */
  async #lookUp(source: Exclude<MemberSource, { readonly type: 'urls' }>): Promise<number> {
    try {
      const { targets, ttlMs, isPartial } = await this.#within(poolLimits.lookupMs, (signal) =>
        this.#find(source, signal),
      );
      if (this.#stopped.signal.aborted) return 0;
      if (targets.length === 0) throw new Error('it has no records');
      this.#recover();
      this.#learn(isPartial ? union(this.#known, targets) : targets);
      return Math.min(poolLimits.resolveMsMax, Math.max(poolLimits.resolveMsMin, ttlMs ?? poolLimits.resolveMs));
    } catch (error) {
      return this.#stopped.signal.aborted ? 0 : this.#fail(source.name, error);
    }
  }

  async #find(
    source: Exclude<MemberSource, { readonly type: 'urls' }>,
    signal: AbortSignal,
  ): Promise<Omit<Found<unknown>, 'records'> & { readonly targets: readonly MemberTarget[] }> {
    const { dns } = this.#options;
    if (source.type === 'dns') {
      const { records, ...found } = await dns.addresses(source.name, signal);
      return { ...found, targets: addressTargets(source, records) };
    }
    const { records, ...found } = await dns.services(source.name, signal);
    return { ...found, targets: serviceTargets(source, records) };
  }

  /** What `ask` finds, unless `ms` pass before or discovery is stopped. */
  async #within<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stopped.signal]);
    const late = pause(this.#options.clock, ms, signal).then((): never => {
      throw new Error(`no answer within ${ms} ms`);
    });
    // When the answer is there first, nobody waits for this one.
    late.catch(() => undefined);
    try {
      return await Promise.race([ask(signal), late]);
    } finally {
      over.abort();
    }
  }

  #fail(name: string, thrown: unknown): number {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const message = `the engine servers behind the name "${name}" could not be looked up: ${reason}`;
    const isNew = this.#error === undefined;
    this.#error = mvmError('UNAVAILABLE', message, { name, reason });
    if (isNew) this.#options.logger.warn({ name, reason, members: this.#known.length }, `${message}; ${this.#rest}`);
    this.#failures += 1;
    return Math.min(poolLimits.resolveMsMax, poolLimits.resolveMsMin * 2 ** Math.min(16, this.#failures - 1));
  }

  get #rest(): string {
    return this.#known.length === 0
      ? 'no job is claimed until it succeeds'
      : `the ${this.#known.length} that are known stay`;
  }

  #recover(): void {
    if (this.#error) this.#options.logger.info({}, 'the engine servers could be looked up again');
    this.#error = undefined;
    this.#failures = 0;
  }

  #learn(targets: readonly MemberTarget[]): void {
    if (isSame(this.#known, targets)) return;
    const added = targets.filter(({ id }) => !hasId(this.#known, id)).map(({ id }) => id);
    const removed = this.#known.filter(({ id }) => !hasId(targets, id)).map(({ id }) => id);
    this.#known = targets;
    this.#options.logger.info({ members: targets.length, added, removed }, 'the engine servers of the pool changed');
    this.#options.onTargets(targets);
  }

  #schedule(ms: number): void {
    const { clock, random, source } = this.#options;
    this.#timer?.cancel();
    if (source.type === 'urls' || this.#stopped.signal.aborted) return;
    this.#timer = clock.after(Math.max(0, ms) * (1 + random.unit() / 5), () => void this.#ask(source));
  }
}

const hasId = (targets: readonly MemberTarget[], id: string): boolean => targets.some((target) => target.id === id);

const union = (known: readonly MemberTarget[], found: readonly MemberTarget[]): readonly MemberTarget[] => [
  ...found,
  ...known.filter(({ id }) => !hasId(found, id)),
];

const isSame = (before: readonly MemberTarget[], after: readonly MemberTarget[]): boolean =>
  before.length === after.length &&
  before.every((target) =>
    after.some(
      ({ id, priority, weight }) => id === target.id && priority === target.priority && weight === target.weight,
    ),
  );
