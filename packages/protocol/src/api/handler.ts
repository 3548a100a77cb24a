/** Jobs that run a handler: code of a worker's own process, without WebAssembly (`docs/guides/handlers.md`). */

/** What stands before a handler's name where a workflow's name would stand. */
export const handlerPrefix = 'handler:';

/** Attempts of a handler's job that says nothing about them. */
export const handlerAttempts = 3;

/** The handler that `workflow` names; undefined when it names a workflow. */
export const handlerOf = (workflow: string): string | undefined =>
  workflow.startsWith(handlerPrefix) ? workflow.slice(handlerPrefix.length) : undefined;
