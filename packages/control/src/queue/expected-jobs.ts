import { defaultQueue, handlerOf, optionsOf } from '@mvm-ci/protocol';
import type { PublishItem } from '../machine/command.ts';
import type { Available } from '../machine/effects.ts';
import { classOf } from '../machine/lane-table.ts';

/**
 * What publishing `items` will surely make available to those who wait, by the name of its class. What may turn out otherwise
 * (a delay, a unique key, jobs to wait for) is left out: its commit tells. So are workflows when several wait: which of those has
 * the module at hand is known once the store has looked the workflow up.
 */
export const expectedJobs = (items: readonly PublishItem[], waiters: number): ReadonlyMap<string, Available> => {
  const coming = new Map<string, Available>();
  for (const { reference, options: written = null } of items) {
    const options = optionsOf(written);
    const { delay_ms: delayMs, run_at_ms: runAt, unique, after, queue = defaultQueue, requires = [] } = options;
    if (reference === null || (delayMs ?? runAt ?? unique ?? after) !== undefined) continue;
    const kind = handlerOf(reference) === undefined ? 'workflow' : reference;
    if (kind === 'workflow' && waiters > 1) continue;
    const { className, ...jobClass } = classOf({ kind, queue, requires });
    const count = (coming.get(className)?.count ?? 0) + 1;
    coming.set(className, { ...jobClass, count, left: null, module: null });
  }
  return coming;
};
