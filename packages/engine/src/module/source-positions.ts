/** From the positions of a bundle, as a script guest's stack shows them, to the author's own files. */
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { scriptName } from '../guest/quickjs/script-machine.ts';
import { engineLimits } from '../limits.ts';

const framePattern = new RegExp(`${scriptName.replace('.', '\\.')}:(\\d+)(?::(\\d+))?`, 'g');

/**
 * Makes the function that maps stacks: each `workflow.js:line:column` becomes the author's file, line and column, where
 * the source map knows it. `sourceMap` is JSON (ECMA-426), or empty: then stacks stay as they are.
 */
export const stackMapper = (sourceMap: Uint8Array): ((stack: string) => string) => {
  if (sourceMap.length === 0) return shortened;
  let trace: TraceMap | undefined;
  return (stack) => {
    trace ??= readMap(sourceMap);
    const map = trace;
    return shortened(stack.replace(framePattern, (frame, line, column) => original(map, frame, [line, column])));
  };
};

const readMap = (sourceMap: Uint8Array): TraceMap => {
  try {
    return new TraceMap(new TextDecoder().decode(sourceMap));
  } catch {
    // A damaged map costs the positions, never the error itself.
    return new TraceMap({ version: 3, sources: [], names: [], mappings: '' });
  }
};

const original = (map: TraceMap, frame: string, [line, column]: readonly [unknown, unknown]): string => {
  const lineNumber = Number(line);
  if (!(lineNumber >= 1)) return frame;
  // The runtime counts columns from 1, source maps from 0.
  const found = originalPositionFor(map, { line: lineNumber, column: Math.max(0, Number(column ?? 1) - 1) });
  return found.source === null ? frame : `${found.source}:${found.line}:${found.column + 1}`;
};

const shortened = (stack: string): string =>
  stack
    .trimEnd()
    .split('\n')
    // Places inside of a text that was parsed, not of a source.
    .filter((frame) => !frame.includes('<input>'))
    .slice(0, engineLimits.stackFramesMax)
    .join('\n');
