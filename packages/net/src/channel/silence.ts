/**
 * The silences of a channel (rule 8): who has said nothing for a while says that it is there, and who has heard nothing for longer ends
 * the channel. Owns the times at which either side spoke last.
 */
import type { Clock, Timer } from '../clock.ts';
import type { ChannelLimits } from '../limits.ts';

/** What it watches, and what it calls for. */
export interface SilenceOptions {
  readonly clock: Clock;
  readonly limits: Pick<ChannelLimits, 'pingMs' | 'silenceMs' | 'silenceUnsaidMs'>;
  /** Says that this side is there. */
  readonly ping: () => void;
  /** The other side was silent for too long; called once. */
  readonly lost: () => void;
}

/** See the head of this file. */
export class Silence {
  readonly #options: SilenceOptions;
  #pingMs: number;
  #sentMs: number;
  #heardMs: number;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#pingMs = pingMsFor(options.limits.silenceUnsaidMs, options.limits.pingMs);
    this.#sentMs = options.clock.monotonicMs();
    this.#heardMs = this.#sentMs;
    this.#watch();
  }

  /** When something last came, in `clock.monotonicMs`. */
  get heardMs(): number {
    return this.#heardMs;
  }

  noteSent(): void {
    this.#sentMs = this.#options.clock.monotonicMs();
  }

  noteHeard(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
  }

  /** The other side bears silence for `theirMs`; undefined: it doesn't say. */
  agree(theirMs: number | undefined): void {
    const { limits } = this.#options;
    this.#pingMs = pingMsFor(theirMs ?? limits.silenceUnsaidMs, limits.pingMs);
    this.#timer?.cancel();
    this.#watch();
  }

  /** Watches no longer. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #watch(): void {
    if (this.#isStopped) return;
    const { clock, limits, ping, lost } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#heardMs >= limits.silenceMs) return lost();
    if (nowMs - this.#sentMs >= this.#pingMs) {
      this.#sentMs = nowMs;
      ping();
    }
    const nextMs = Math.min(this.#sentMs + this.#pingMs, this.#heardMs + limits.silenceMs);
    // A ping may have been one frame too many.
    if (!this.#isStopped) this.#timer = clock.after(Math.max(1, nextMs - nowMs), () => this.#watch());
  }
}

/** Well before the other side loses patience: a word takes its time on the way. */
const pingMsFor = (theirMs: number, ownMs: number): number => Math.min(ownMs, Math.max(1, Math.floor(theirMs * 0.75)));
