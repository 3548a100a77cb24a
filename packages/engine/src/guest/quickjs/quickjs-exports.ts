/** The C interface of an instance of the script runtime, by our names, whatever its build calls them. */
import { mvmError } from '@mvm-ci/protocol';
import type { ExportName, NativeName, QuickJSBuild } from './quickjs-build.ts';

/** The exports by our names. */
export type QuickJSExports = { readonly [Name in ExportName]: (...args: readonly number[]) => number };

/** Those that not every build has. */
export type NativeExports = { readonly [Name in NativeName]: (...args: readonly number[]) => number };

/** The exports of an instance of `build`, by our names. @throws {MvmError} `INTERNAL` when one is missing */
export const quickjsExports = (instance: WebAssembly.Instance, { exports }: QuickJSBuild): QuickJSExports => {
  const found = named(instance, exports);
  if (isWhole<ExportName>(found)) return found;
  throw lacking;
};

/** The same for those that not every build has; undefined when this one hasn't. @throws {MvmError} `INTERNAL` when one is missing */
export const nativeExports = (instance: WebAssembly.Instance, { native }: QuickJSBuild): NativeExports | undefined => {
  if (!native) return undefined;
  const found = named(instance, native);
  if (isWhole<NativeName>(found)) return found;
  throw lacking;
};

const lacking = mvmError('INTERNAL', 'the QuickJS binary lacks an export');

const named = ({ exports }: WebAssembly.Instance, letters: Readonly<Record<string, string>>): object =>
  Object.fromEntries(Object.entries(letters).map(([ours, its]) => [ours, exports[its]]));

const isWhole = <Name extends string>(
  found: object,
): found is Readonly<Record<Name, (...args: readonly number[]) => number>> =>
  Object.values(found).every((value) => typeof value === 'function');
