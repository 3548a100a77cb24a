/**
 * The steps of a replay in pieces, each small enough for one message: a whole journal in one would be in memory three times,
 * and the thread would serve nobody else until it is through.
 */
import { engineLimits } from '../limits.ts';
import type { GuestEvent, GuestStep } from '../run/activation.ts';
import { answerBytes } from '../run/entry-size.ts';

/** Divides `steps`, in their order, by `engineLimits.pieceStepsMax` and `pieceBytesMax`; no steps are one empty piece. */
export const stepPieces = function* (steps: readonly GuestStep[]): Generator<readonly GuestStep[], void, undefined> {
  let [from, bytes] = [0, 0];
  for (const [at, { activation }] of steps.entries()) {
    bytes += activation.events.reduce((sum, event) => sum + eventBytes(event), 0);
    const isFull = at + 1 - from >= engineLimits.pieceStepsMax || bytes >= engineLimits.pieceBytesMax;
    if (!isFull || at + 1 === steps.length) continue;
    yield steps.slice(from, at + 1);
    [from, bytes] = [at + 1, 0];
  }
  yield from === 0 ? steps : steps.slice(from);
};

const eventBytes = (event: GuestEvent): number => (event.type === 'answer' ? answerBytes(event.answer) : 0);
