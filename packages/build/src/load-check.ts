/**
 * Loads a bundle once in the guest runtime, to list its workflows and to refuse at build time what no engine could
 * load. The script can do no harm there: it has no import, and its time and memory are limited.
 */
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import {
  newQuickJSWASMModuleFromVariant,
  shouldInterruptAfterDeadline,
  type QuickJSContext,
  type QuickJSHandle,
} from 'quickjs-emscripten-core';
import { z } from 'zod';
import type { Bundle } from './bundle.ts';
import { limits } from './limits.ts';

const scriptName = 'module.js';
const thrownSchema = z.object({ name: z.string(), message: z.string(), stack: z.string().default('') });

/**
 * The workflows of a bundle, the default one first.
 *
 * @throws {MvmError} `MODULE_LOAD_FAILED` when the script throws at load, runs too long or exports no function;
 *   `MODULE_SYNTAX_ERROR` when the runtime can't parse it. The author's file and line are in the message.
 */
export const listWorkflows = async ({ code, sourceMap }: Bundle): Promise<readonly string[]> => {
  const quickjs = await newQuickJSWASMModuleFromVariant(import('@jitl/quickjs-ng-wasmfile-release-sync'));
  const runtime = quickjs.newRuntime({
    memoryLimitBytes: limits.loadBytesMax,
    interruptHandler: shouldInterruptAfterDeadline(Date.now() + limits.loadMsMax),
  });
  const context = runtime.newContext();
  try {
    evaluate(context, code, sourceMap).dispose();
    const names = evaluate(context, 'mvm_workflows()', sourceMap);
    const list: unknown = JSON.parse(names.consume((handle) => context.getString(handle)));
    return z.array(z.string()).parse(list);
  } finally {
    context.dispose();
    runtime.dispose();
  }
};

const evaluate = (context: QuickJSContext, code: string, sourceMap: string): QuickJSHandle => {
  const result = context.evalCode(code, scriptName);
  if (!result.error) return result.value;
  const thrown = result.error.consume((handle): unknown => context.dump(handle));
  throw loadError(thrown, sourceMap);
};

const loadError = (thrown: unknown, sourceMap: string): MvmError => {
  const parsed = thrownSchema.safeParse(thrown);
  if (!parsed.success)
    return mvmError('MODULE_LOAD_FAILED', `the script threw ${JSON.stringify(thrown)} while loading`);
  const { name, message, stack } = parsed.data;
  const place = authorPlace(stack, sourceMap);
  const where = place ? `${place.file}:${place.line}:${place.column}: ` : '';
  const text = `${where}${name}: ${message}`;
  if (name === 'SyntaxError') return mvmError('MODULE_SYNTAX_ERROR', text, { ...place });
  const why = message === 'interrupted' ? ` (it ran for more than ${limits.loadMsMax} ms)` : '';
  return mvmError('MODULE_LOAD_FAILED', `the script threw while loading: ${text}${why}`, { ...place });
};

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The innermost frame of `stack` that is in the author's files, else the innermost one. */
const authorPlace = (stack: string, sourceMap: string): Place | undefined => {
  const map = new TraceMap(sourceMap);
  const places = [...stack.matchAll(new RegExp(`${scriptName}:(\\d+):(\\d+)`, 'g'))].flatMap(([, line, column]) => {
    const position = originalPositionFor(map, { line: Number(line), column: Number(column) - 1 });
    return position.source === null
      ? []
      : [{ file: position.source, line: position.line, column: position.column + 1 }];
  });
  return places.find(({ file }) => !file.startsWith('@mvm-ci/sdk') && file !== 'mvm-entry.js') ?? places[0];
};
