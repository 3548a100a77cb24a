/**
 * Answers questions to a workflow at rest: `mvm_query`. It owns the handlers.
 *
 *   1. It is asked on a copy of the guest's memory, which is thrown away after it: no promise job runs any more.
 *   2. It never throws for what a handler does: that is `QUERY_FAILED`, in words that name the handler.
 *   3. A handler that asks for an effect has failed, also when it hides the error.
 */
import { limits } from './limits.ts';

/** Takes what was asked, any JSON value, and returns the answer. */
type Handler = (args: unknown) => unknown;

/** See the head of this file. */
export class QueryDesk {
  readonly #handlers = new Map<string, Handler>();
  #isAsked = false;
  #forbidden: string | undefined;

  /** Whether a handler runs: what it asks for is refused by {@link QueryDesk.forbid}. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** Adds a handler; the last one of a name counts. */
  define(name: string, handler: Handler): void {
    this.#handlers.set(name, handler);
  }

  /** The error for a handler that asks for `what` (3). */
  forbid(what: string): TypeError {
    this.#forbidden ??= `a query handler may only read: it asked for ${what}`;
    return new TypeError(this.#forbidden);
  }

  /**
   * Answers the question in `text`, JSON `{ "name", "args" }`.
   *
   * @returns JSON text: `{ "value" }`, or `{ "error": { "code", "message" } }`
   */
  answer(text: string): string {
    const { name, args } = questionOf(text);
    const handler = this.#handlers.get(name);
    if (!handler) return failure('QUERY_NOT_FOUND', `the workflow has no query "${name}": ${this.#known()}`);
    this.#isAsked = true;
    try {
      const answer = handler(args);
      if (isPromise(answer)) this.forbid('time: it is async, or returns a promise');
      const value = stringify(answer) ?? 'null';
      return this.#forbidden === undefined ? `{"value":${value}}` : failed(name, this.#forbidden);
    } catch (error) {
      return failed(name, this.#forbidden ?? reasonOf(error));
    }
  }

  #known(): string {
    const names = [...this.#handlers.keys()];
    return names.length === 0 ? 'it has none so far' : `it has ${names.join(', ')}`;
  }
}

// The library types hide that JSON.stringify(undefined) is undefined.
const stringify: (value: unknown) => string | undefined = JSON.stringify;

const questionOf = (text: string): { readonly name: string; readonly args: unknown } => {
  const value: unknown = JSON.parse(text);
  if (isQuestion(value)) return value;
  throw new TypeError('a question must have a name');
};

const isQuestion = (value: unknown): value is { readonly name: string; readonly args: unknown } =>
  typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string' && 'args' in value;

const isPromise = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

const failed = (name: string, reason: string): string => failure('QUERY_FAILED', `query "${name}": ${reason}`);

const failure = (code: string, message: string): string =>
  JSON.stringify({ error: { code, message: message.slice(0, limits.errorCharsMax) } });

const reasonOf = (error: unknown): string => {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
  } catch {
    return 'thrown: something that throws when it is looked at';
  }
};
