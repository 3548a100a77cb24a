/**
 * Keeps the leases of a worker whose own thread is busy: a handler that computes for a minute must not lose its job. It
 * watches what passes between the worker and the control plane, and sends the heartbeat when the worker is late with it.
 *
 *   1. It names what the worker named last, what it claimed since, and nothing that it finished since.
 *   2. What an answer tells is not lost: the worker's next heartbeat is told it again.
 *   3. It does not decide whether the worker hangs: timeouts of attempts end what hangs.
 */
import type {
  Clock,
  ClaimAnswer,
  FinishRequest,
  HeartbeatRequest,
  ItemsAnswer,
  JoinAnswer,
  LeaseRef,
  Timer,
} from '@mvm-ci/protocol';
import type { ControlPlane } from '../control-plane.ts';
import { workerLimits } from '../limits.ts';

/** What it works with. */
export interface ShadowHeartbeatParts {
  readonly controlPlane: Pick<ControlPlane, 'heartbeat'>;
  readonly clock: Clock;
}

/** See the head of this file. */
export class ShadowHeartbeat {
  readonly #parts: ShadowHeartbeatParts;
  readonly #held: Map<string, LeaseRef> = new Map();
  readonly #stopped = new AbortController();
  #incarnation = '';
  #periodMs = Infinity;
  #lastMs = 0;
  #timer: Timer | undefined;

  constructor(parts: ShadowHeartbeatParts) {
    this.#parts = parts;
  }

  joined({ heartbeatMs }: JoinAnswer): void {
    this.#periodMs = heartbeatMs;
  }

  claimed(incarnation: string, { jobs }: ClaimAnswer): void {
    this.#incarnation = incarnation;
    if (this.#held.size === 0) this.#lastMs = this.#parts.clock.monotonicMs();
    for (const { job, epoch } of jobs) this.#held.set(job, { job, epoch });
    this.#arm();
  }

  finished({ finishes }: FinishRequest, { results }: ItemsAnswer): void {
    for (const [index, { job }] of finishes.entries()) if (results[index]?.ok === true) this.#held.delete(job);
  }

  /** The worker sends one by itself. */
  beaten({ incarnation, held }: HeartbeatRequest): void {
    this.#incarnation = incarnation;
    this.#lastMs = this.#parts.clock.monotonicMs();
    this.#held.clear();
    for (const lease of held) this.#held.set(lease.job, lease);
    this.#arm();
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped.abort();
    this.#timer?.cancel();
  }

  #forget(leases: readonly LeaseRef[]): void {
    for (const { job, epoch } of leases) if (this.#held.get(job)?.epoch === epoch) this.#held.delete(job);
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#stopped.signal.aborted || this.#held.size === 0) return;
    const dueMs = this.#lastMs + this.#periodMs * workerLimits.silentHeartbeats;
    if (!Number.isFinite(dueMs)) return;
    this.#timer = this.#parts.clock.after(Math.max(1, dueMs - this.#parts.clock.monotonicMs()), () => {
      this.#timer = undefined;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    const { clock, controlPlane } = this.#parts;
    const now = clock.monotonicMs();
    if (now - this.#lastMs >= this.#periodMs * workerLimits.silentHeartbeats && this.#held.size > 0) {
      this.#lastMs = now;
      const request = { incarnation: this.#incarnation, held: [...this.#held.values()] };
      try {
        const { lost } = await controlPlane.heartbeat(request, { signal: this.#stopped.signal });
        this.#forget(lost);
      } catch {
        // The next one is due soon; a connection that is gone is the worker's to mend.
      }
    }
    this.#arm();
  }
}
