import { engineLimits } from '../../limits.ts';
import { GuestFault } from '../guest.ts';

/** The fault of a guest whose code trapped with `error`. */
export const trapFault = (error: unknown): GuestFault => {
  const reason = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? wasmFrames(error.stack ?? '') : '';
  return new GuestFault({ code: 'GUEST_TRAPPED', message: `the guest's code trapped: ${reason}`, stack });
};

const framePattern = /at (?<name>\S+ )?\(?wasm:[^)\s]*(?<place>wasm-function\[\d+\]:0x[\da-f]+)/g;

/** The guest's own frames, with the names that its binary has for them. */
const wasmFrames = (stack: string): string =>
  [...stack.matchAll(framePattern)]
    .slice(0, engineLimits.stackFramesMax)
    .map(({ groups }) => `    at ${groups?.['name'] ?? ''}(${groups?.['place'] ?? ''})`)
    .join('\n');
