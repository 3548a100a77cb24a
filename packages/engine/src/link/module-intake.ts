import { joinByteStrings, limits, mvmError, type MvmError } from '@mvm-ci/protocol';

/** A module's file on its way from the holder, in parts. */
export class ModuleIntake {
  readonly #onWanted: () => void;
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #call: PromiseWithResolvers<Uint8Array> | undefined;

  /** `onWanted` asks the holder for it. */
  constructor(onWanted: () => void) {
    this.#onWanted = onWanted;
  }

  /** Asks for the file. @throws what the holder says; CONNECTION_LOST when it is gone */
  ask(): Promise<Uint8Array> {
    if (this.#call) return this.#call.promise;
    this.#call = Promise.withResolvers();
    this.#call.promise.catch(() => undefined);
    this.#onWanted();
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
    if (!isLast) return;
    call.resolve(joinByteStrings(this.#parts));
    this.#clear();
  }

  /** It won't come. Idempotent. */
  fail(error: MvmError): void {
    this.#call?.reject(error);
    this.#clear();
  }

  #clear(): void {
    this.#call = undefined;
    this.#parts = [];
    this.#bytes = 0;
  }
}
