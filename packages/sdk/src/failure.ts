/** How the end of a workflow's function becomes the attempt's last intent. */
import { EffectError } from './effect-error.ts';
import type { Intent } from './intent.ts';
import { jsonText } from './json-text.ts';
import { limits } from './limits.ts';

/**
 * The `fail` intent for what a workflow threw. An effect's error that nobody caught keeps its code; everything else is
 * `WORKFLOW_FAILED`.
 */
export const failIntent = (thrown: unknown): Intent => {
  const { name, message, stack } = describeThrown(thrown);
  return {
    type: 'fail',
    code: codeOf(thrown),
    name: name.slice(0, limits.errorCharsMax),
    message: message.slice(0, limits.errorCharsMax),
    stack: stack.slice(0, limits.errorCharsMax),
  };
};

/**
 * The JSON text of a workflow's return value; `undefined` (and a function) becomes null, as in a JSON array.
 *
 * @throws {TypeError} as {@link jsonText}.
 */
export const resultText = (value: unknown): string => jsonText(value, "the workflow's return value") ?? 'null';

/** Name, message and stack of anything that can be thrown. */
const describeThrown = (
  thrown: unknown,
): { readonly name: string; readonly message: string; readonly stack: string } => {
  try {
    if (!(thrown instanceof Error)) return { name: 'Error', message: `thrown: ${textOf(thrown)}`, stack: '' };
    const causes = causesOf(thrown).map(causeText).join('');
    return {
      name: textOf(thrown.name),
      message: textOf(thrown.message),
      stack: textOf(thrown.stack ?? '').trimEnd() + causes,
    };
  } catch {
    // A getter or a proxy's trap of the author's threw while it was looked at.
    return { name: 'Error', message: 'thrown: something that throws when it is looked at', stack: '' };
  }
};

/** What is behind an error, the nearest first: its cause and that one's, or the errors that it gathers (`Promise.any`). */
const causesOf = (error: Error): readonly unknown[] => {
  const causes: unknown[] = [];
  let pending = partsOf(error);
  while (pending.length > 0 && causes.length < limits.causesMax) {
    causes.push(...pending);
    pending = pending.flatMap((cause) => (cause instanceof Error && cause !== error ? partsOf(cause) : []));
  }
  return causes.slice(0, limits.causesMax);
};

const partsOf = (error: Error): unknown[] => {
  const own = error.cause === undefined ? [] : [error.cause];
  // An author may have put anything into its place.
  const gathered: unknown = error instanceof AggregateError ? error.errors : [];
  return own.concat(Array.isArray(gathered) ? gathered : []);
};

const causeText = (cause: unknown): string => {
  if (!(cause instanceof Error)) return `\ncaused by ${textOf(cause)}`;
  const frames = textOf(cause.stack ?? '')
    .split('\n')
    .slice(0, limits.causeFramesMax);
  return `\ncaused by ${textOf(cause.name)}: ${textOf(cause.message)}\n${frames.join('\n')}`.trimEnd();
};

const codeOf = (thrown: unknown): string => {
  try {
    return thrown instanceof EffectError ? thrown.code : 'WORKFLOW_FAILED';
  } catch {
    return 'WORKFLOW_FAILED';
  }
};

// A getter or toString of the author's can throw again; the attempt must still end.
const textOf = (value: unknown): string => {
  try {
    return typeof value === 'string' ? value : (jsonText(value, 'it') ?? String(value));
  } catch {
    return typeof value;
  }
};
