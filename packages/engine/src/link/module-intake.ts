import { joinByteStrings, limits, linkLimits, mvmError, type Clock, type MvmError, type Timer } from '@mvm-ci/protocol';

export interface ModuleIntakeOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Asks the holder for the file. */
  readonly onWanted: () => void;
  /** The holder is silent for too long: others may wait for the same module. */
  readonly onSilent: (error: MvmError) => void;
}

/** A module's file on its way from the holder, in parts. */
export class ModuleIntake {
  readonly #options: ModuleIntakeOptions;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #call: PromiseWithResolvers<Uint8Array> | undefined;
  #patience: Timer | undefined;

  constructor(options: ModuleIntakeOptions) {
    this.#options = options;
  }

  /** Asks for the file. @throws what the holder says; CONNECTION_LOST when it is gone */
  ask(): Promise<Uint8Array> {
    if (this.#call) return this.#call.promise;
    this.#call = Promise.withResolvers();
    this.#call.promise.catch(() => undefined);
    this.#wait();
    this.#options.onWanted();
    return this.#call.promise;
  }

  /** A part has come. @throws INVALID_ARGUMENT when nobody asked; PAYLOAD_TOO_LARGE */
  take(bytes: Uint8Array, isLast: boolean): void {
    const call = this.#call;
    if (!call) throw mvmError('INVALID_ARGUMENT', 'a part of a module came that nobody asked for');
    this.#bytes += bytes.length;
    if (this.#bytes > limits.moduleBytesMax)
      throw mvmError('PAYLOAD_TOO_LARGE', `a module has at most ${limits.moduleBytesMax} bytes`);
    this.#parts.push(bytes);
    if (bytes.length > 0) this.#wait();
    if (!isLast) return;
    call.resolve(joinByteStrings(this.#parts));
    this.#clear();
  }

  /** It won't come. Idempotent. */
  fail(error: MvmError): void {
    this.#call?.reject(error);
    this.#clear();
  }

  #wait(): void {
    const { clock, onSilent } = this.#options;
    const ms = linkLimits.holderSilenceMsMax;
    this.#patience?.cancel();
    this.#patience = clock.after(ms, () =>
      onSilent(mvmError('DEADLINE_EXCEEDED', `the holder sent nothing of the module for ${ms / 1_000} s`)),
    );
  }

  #clear(): void {
    this.#patience?.cancel();
    this.#call = undefined;
    this.#parts = [];
    this.#bytes = 0;
  }
}
