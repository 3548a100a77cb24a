/** `Event` and `EventTarget` (DOM standard, sections 2.2 and 2.7) without a tree: no capture, no bubbling. */

/** See the DOM standard. */
interface EventOptions {
  /** Kept for those that read it: there is no tree. */
  readonly bubbles?: boolean;
  readonly cancelable?: boolean;
}

/** See the DOM standard. */
export class Event {
  readonly type: string;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  target: EventTarget | null = null;
  #isPrevented = false;
  #isStopped = false;

  constructor(type: string, { bubbles = false, cancelable = false }: EventOptions = {}) {
    this.type = type;
    this.bubbles = bubbles;
    this.cancelable = cancelable;
  }

  get currentTarget(): EventTarget | null {
    return this.target;
  }

  get defaultPrevented(): boolean {
    return this.#isPrevented;
  }

  /** Whether {@link Event.stopImmediatePropagation} was called. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  preventDefault(): void {
    if (this.cancelable) this.#isPrevented = true;
  }

  stopPropagation(): void {}

  stopImmediatePropagation(): void {
    this.#isStopped = true;
  }
}

/** An event with something to say (DOM standard, section 2.4). */
export class CustomEvent extends Event {
  readonly detail: unknown;

  constructor(type: string, { detail = null, ...options }: EventOptions & { readonly detail?: unknown } = {}) {
    super(type, options);
    this.detail = detail;
  }
}

/** A function, or an object with `handleEvent`. */
export type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

/** See the DOM standard. */
export interface ListenerOptions {
  readonly once?: boolean;
  readonly signal?: { readonly aborted: boolean; addEventListener(type: 'abort', listener: () => void): void };
}

/** Hears what a listener threw: an event's sender doesn't. */
export type ErrorSink = (error: unknown) => void;

let report: ErrorSink = () => {};

/** Sends what listeners throw to `sink`. */
export const reportListenerErrors = (sink: ErrorSink): void => {
  report = sink;
};

/** See the DOM standard. */
export class EventTarget {
  readonly #listeners = new Map<string, Map<Listener, boolean>>();

  addEventListener(type: string, listener: Listener | null, options: ListenerOptions | boolean = {}): void {
    const { once = false, signal } = typeof options === 'object' ? options : {};
    if (!listener || signal?.aborted === true) return;
    const listeners = this.#listeners.get(type) ?? new Map<Listener, boolean>();
    this.#listeners.set(type, listeners);
    if (!listeners.has(listener)) listeners.set(listener, once);
    signal?.addEventListener('abort', () => this.removeEventListener(type, listener));
  }

  removeEventListener(type: string, listener: Listener | null): void {
    if (listener) this.#listeners.get(type)?.delete(listener);
  }

  /**
   * @returns false when a listener prevented the default.
   * @throws {TypeError} when `event` is none
   */
  dispatchEvent(event: Event): boolean {
    if (!(event instanceof Event)) throw new TypeError(`dispatchEvent takes an Event: received ${typeof event}`);
    event.target = this;
    const listeners = this.#listeners.get(event.type);
    for (const [listener, once] of listeners ? [...listeners] : []) {
      if (event.isStopped) break;
      if (!listeners?.has(listener)) continue;
      if (once) listeners.delete(listener);
      this.#tell(listener, event);
    }
    return !event.defaultPrevented;
  }

  #tell(listener: Listener, event: Event): void {
    try {
      if (typeof listener === 'function') Reflect.apply(listener, this, [event]);
      else listener.handleEvent(event);
    } catch (error) {
      report(error);
    }
  }
}
