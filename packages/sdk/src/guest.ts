/**
 * The first import of every bundle: installs the prelude before any line of the author's runs, and then lets the bundle
 * hand over the author's module. It owns the functions on `globalThis` that the host calls.
 */
import { machine } from './machine.ts';
import { installPrelude } from './prelude/prelude.ts';
import type { Workflow } from './step-machine.ts';

installPrelude(machine);

/**
 * Makes every exported function an entry point and the module ready for the host.
 *
 * @param exports - the namespace object of the author's module.
 * @param moduleName - names the default export, and puts an export of that name first.
 * @throws {TypeError} when no function is exported.
 */
export const defineWorkflows = (exports: Readonly<Record<string, unknown>>, moduleName: string): void => {
  const named = Object.entries(exports).map(
    ([name, value]) => [name === 'default' ? moduleName : name, value] as const,
  );
  const workflows = named.filter((pair): pair is readonly [string, Workflow] => typeof pair[1] === 'function');
  if (workflows.length === 0) throw new TypeError('a workflow module must export at least one function');
  const first = workflows.filter(([name]) => name === moduleName);
  const rest = workflows.filter(([name]) => name !== moduleName);
  for (const [name, workflow] of [...first, ...rest]) machine.define(name, workflow);
};

Object.assign(globalThis, {
  mvm_workflows: () => machine.workflows(),
  mvm_step: (text: string, ...buffers: readonly ArrayBuffer[]) => machine.step(text, buffers),
  mvm_flush: () => machine.flush(),
  mvm_bytes: (number: string) => machine.takeBytes(Number(number)),
  // A promise alone: something handles it after all.
  mvm_rejected: (promise: unknown, ...reason: readonly unknown[]) => {
    if (reason.length === 0) machine.rejections.delete(promise);
    else machine.rejections.add(promise, reason[0]);
  },
  mvm_query: (text: string) => machine.queries.answer(text),
});
