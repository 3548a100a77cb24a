import { linkLimits, mvmError, type Clock, type MvmError, type Timer } from '@mvm-ci/protocol';

export interface PartIntakeOptions {
  /** For people, such as `the module`. */
  readonly what: string;
  readonly bytesMax: number;
  readonly clock: Pick<Clock, 'after'>;
  /** Asks the holder for it. */
  readonly onWanted: () => void;
  /** The holder is silent for too long. */
  readonly onSilent: (error: MvmError) => void;
}

/** Something long that a holder was asked for, on its way in parts: a module's file, or a journal. */
export class PartIntake {
  readonly #options: PartIntakeOptions;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #call: PromiseWithResolvers<readonly Uint8Array[]> | undefined;
  #patience: Timer | undefined;

  constructor(options: PartIntakeOptions) {
    this.#options = options;
  }

  /** Asks for it, unless it is on its way. @returns its parts. @throws what the holder says; CONNECTION_LOST when it is gone */
  ask(): Promise<readonly Uint8Array[]> {
    if (this.#call) return this.#call.promise;
    this.#call = Promise.withResolvers();
    this.#call.promise.catch(() => undefined);
    this.#wait();
    this.#options.onWanted();
    return this.#call.promise;
  }

  /** A part has come. @throws INVALID_ARGUMENT when nobody asked; PAYLOAD_TOO_LARGE */
  take(bytes: Uint8Array, isLast: boolean): void {
    const { what, bytesMax } = this.#options;
    const call = this.#call;
    if (!call) throw mvmError('INVALID_ARGUMENT', `a part of ${what} came that nobody asked for`);
    this.#bytes += bytes.length;
    if (this.#bytes > bytesMax) throw mvmError('PAYLOAD_TOO_LARGE', `${what} has at most ${bytesMax} bytes`);
    this.#parts.push(bytes);
    if (bytes.length > 0) this.#wait();
    if (!isLast) return;
    call.resolve(this.#parts);
    this.#clear();
  }

  /** It won't come. Idempotent. */
  fail(error: MvmError): void {
    this.#call?.reject(error);
    this.#clear();
  }

  #wait(): void {
    const { what, clock, onSilent } = this.#options;
    const ms = linkLimits.holderSilenceMsMax;
    this.#patience?.cancel();
    this.#patience = clock.after(ms, () =>
      onSilent(mvmError('DEADLINE_EXCEEDED', `the holder sent nothing of ${what} for ${ms / 1_000} s`)),
    );
  }

  #clear(): void {
    this.#patience?.cancel();
    this.#call = undefined;
    this.#parts = [];
    this.#bytes = 0;
  }
}
