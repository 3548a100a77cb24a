/** Loads something again and again: one request at a time, with a pause between two, and none after the last wish. */
import { messageOf } from '../api/request.ts';
import { pause } from './visibility.ts';

/** What came of a request. */
export type Loaded<T> = { readonly value: T } | { readonly error: string };

/** No more often than this is anything loaded again. */
const gapMs = 400;

/** See the head of this file. */
export class Loader<T> {
  readonly #load: (signal: AbortSignal) => Promise<T>;
  readonly #show: (loaded: Loaded<T>) => void;
  readonly #ended = new AbortController();
  #isRunning = false;
  #isWished = false;

  constructor(load: (signal: AbortSignal) => Promise<T>, show: (loaded: Loaded<T>) => void) {
    this.#load = load;
    this.#show = show;
  }

  /** Wants it loaded: what is shown then is no older than this call. */
  wish(): void {
    this.#isWished = true;
    if (!this.#isRunning) void this.#run();
  }

  end(): void {
    this.#ended.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    this.#isRunning = true;
    while (this.#isWished && !signal.aborted) {
      this.#isWished = false;
      const loaded = await this.#once(signal);
      if (signal.aborted) break;
      this.#show(loaded);
      await pause(gapMs);
    }
    this.#isRunning = false;
  }

  async #once(signal: AbortSignal): Promise<Loaded<T>> {
    try {
      return { value: await this.#load(signal) };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }
}
