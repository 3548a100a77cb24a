/** The C interface of an instance of the script runtime, by our names, whatever its build calls them. */
import { mvmError } from '@mvm-ci/protocol';
import type { ExportName, QuickJSBuild } from './quickjs-build.ts';

/** The exports by our names. */
export type QuickJSExports = { readonly [Name in ExportName]: (...args: readonly number[]) => number };

/** The exports of an instance of `build`, by our names. @throws {MvmError} `INTERNAL` when one is missing */
export const quickjsExports = (instance: WebAssembly.Instance, { exports }: QuickJSBuild): QuickJSExports => {
  const named = Object.fromEntries(Object.entries(exports).map(([ours, its]) => [ours, instance.exports[its]]));
  if (isExports(named)) return named;
  throw mvmError('INTERNAL', 'the QuickJS binary lacks an export');
};

const isExports = (named: object): named is QuickJSExports =>
  Object.values(named).every((value) => typeof value === 'function');
