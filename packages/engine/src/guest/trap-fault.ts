import { engineLimits } from '../limits.ts';
import { GuestFault } from './guest.ts';

/**
 * The fault of a guest whose code ended with `error`. How deep a stack may be depends on the machine and on how far V8 has
 * optimized the code, so an overflow ends the attempt: nothing of it is seen inside the guest or in a journal's intents.
 */
export const trapFault = (error: unknown): GuestFault => {
  const reason = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? wasmFrames(error.stack ?? '') : '';
  return isStackOverflow(error)
    ? new GuestFault({
        code: 'STACK_OVERFLOW',
        message: "the guest's calls are nested too deeply for its stack",
        stack,
      })
    : new GuestFault({ code: 'GUEST_TRAPPED', message: `the guest's code trapped: ${reason}`, stack });
};

/** The fault of a guest whose instance could not be made: its start function or a segment trapped with `error`. */
export const startFault = (error: unknown): GuestFault => {
  if (error instanceof GuestFault) return error;
  if (isStackOverflow(error)) return trapFault(error);
  const reason = error instanceof Error ? error.message : String(error);
  return new GuestFault({ code: 'MODULE_LOAD_FAILED', message: `the module could not be started: ${reason}` });
};

const isStackOverflow = (error: unknown): boolean =>
  error instanceof RangeError && error.message === 'Maximum call stack size exceeded';

const framePattern = /at (?<name>\S+ )?\(?wasm:[^)\s]*(?<place>wasm-function\[\d+\]:0x[\da-f]+)/g;

/** The guest's own frames, with the names that its binary has for them. */
const wasmFrames = (stack: string): string =>
  [...stack.matchAll(framePattern)]
    .slice(0, engineLimits.stackFramesMax)
    .map(({ groups }) => `    at ${groups?.['name'] ?? ''}(${groups?.['place'] ?? ''})`)
    .join('\n');
