/** Queries: what others may ask a running workflow, without it noticing (docs/internals/step-machine.md, "Queries"). */
import { machine } from './machine.ts';

/**
 * Lets anybody ask this job: `mvm-ci query JOB NAME`, `client.query`. The handler reads the workflow's variables as they are between two
 * steps and answers at once; it runs on a copy of the guest's memory that is thrown away, so what it changes is lost. It may not be
 * async, and may not ask for anything (`fetch`, `sleep`, `send` …); what it logs is dropped. Declare it before the first `await`.
 *
 * @param name - what is asked for; declared again, the last handler counts.
 * @param handler - gets what the asker sent, any JSON value (null when nothing was), and returns a JSON value.
 * @throws {TypeError} when `name` is no text or empty, or `handler` no function.
 * @example let done = 0;
 *   query('progress', () => ({ done, of: pages.length }));
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the author says what askers send
export const query = <Args = unknown>(name: string, handler: (args: Args) => unknown): void => {
  if (typeof name !== 'string' || name === '') throw new TypeError('query takes a name: received none');
  if (typeof handler !== 'function') throw new TypeError(`query "${name}" needs a function`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is asked is between asker and handler
  machine.queries.define(name, (args) => handler(args as Args));
};
