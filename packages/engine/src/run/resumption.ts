/** What becomes of a call that was asked for in a durable entry and has no answer (step-machine.md, "Replay"). */
import type { FetchIntent } from '@mvm-ci/protocol';
import { isIdempotent } from '../effects/performer.ts';
import type { OpenCall } from './call-book.ts';
import type { Found, InsideBook } from './inside-book.ts';
import type { RunOutput } from './run-output.ts';

/** Its answer, as far as that needs no effect. */
export const foundAnswer = ({ intent }: OpenCall, inside: InsideBook): Found | undefined => {
  if (intent.type === 'start' || intent.type === 'send') return inside.settle(intent);
  if (intent.type === 'fetch' && !isIdempotent(intent)) return { answer: unknownOutcome(intent) };
  return undefined;
};

/** The effect that is performed for it. A receive or a join needs none: it looks into the inbox. */
export const performedAgain = ({ intent, madeAt }: OpenCall): readonly RunOutput[] => {
  switch (intent.type) {
    case 'sleep':
      return [{ type: 'wake', call: intent.call, atMs: madeAt + intent.ms }];
    case 'fetch':
      return [{ type: 'fetch', intent }];
    default:
      return [];
  }
};

const unknownOutcome = ({ method, url }: FetchIntent): Found['answer'] => ({
  type: 'error',
  code: 'OUTCOME_UNKNOWN',
  message: `whether ${method} ${url} took effect is unknown: it was sent, and its answer was lost`,
});
