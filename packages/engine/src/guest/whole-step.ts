/**
 * One step of a guest with the questions that it asks within it. A `version` intent asks whether the guest may run the code
 * that knows a change: live it may, in replay only if the recorded step did (step-machine.md, "Changed code"). The answer is
 * an activation of its own at the same time; what the guest asks for then belongs to the same step.
 */
import type { Intent, VersionIntent } from '@mvm-ci/protocol';
import type { GuestEvent, GuestStep } from '../run/activation.ts';
import { engineLimits } from '../limits.ts';
import { GuestFault, type Guest } from './guest.ts';
import { checkIntents } from './intent-rules.ts';

/** Feeds one activation. */
export type Feed = Guest['step'];

/**
 * Takes one step with `feed`. What it ends in are the intents to be recorded, or compared with those that are: a `version`
 * that was answered with no isn't among them.
 *
 * @throws {GuestFault} what the guest throws; LIMIT_EXCEEDED when all that it asks for in the step is too much; a promise
 * rejects with it
 */
export const takeWholeStep = (feed: Feed, step: GuestStep): ReturnType<Feed> => {
  const intents = feed(step.activation);
  const questioning = { feed, step, roundsLeft: engineLimits.versionRoundsMax };
  return intents instanceof Promise ? intents.then((late) => goOn(late, questioning)) : goOn(intents, questioning);
};

interface Questioning {
  readonly feed: Feed;
  readonly step: GuestStep;
  /** How often the guest may still be answered. */
  readonly roundsLeft: number;
}

/** Answers the questions in `intents`, and those that come of it; `all` is what the step has asked for so far. */
const goOn = (intents: readonly Intent[], questioning: Questioning, all = intents): ReturnType<Feed> => {
  const { feed, step, roundsLeft } = questioning;
  const asked = intents.filter((intent) => intent.type === 'version');
  if (asked.length === 0) return chosenOnly(all, step);
  if (roundsLeft === 0) throw tooManyRounds();
  const more = feed({ now: step.activation.now, events: asked.map((version) => verdict(version, step)) });
  const next = { ...questioning, roundsLeft: roundsLeft - 1 };
  return more instanceof Promise
    ? more.then((late) => goOn(late, next, joined(all, late)))
    : goOn(more, next, joined(all, more));
};

const joined = (before: readonly Intent[], more: readonly Intent[]): readonly Intent[] => {
  const all = [...before, ...more];
  checkIntents(all);
  return all;
};

const tooManyRounds = (): GuestFault => {
  const limit = engineLimits.versionRoundsMax;
  return new GuestFault({
    code: 'LIMIT_EXCEEDED',
    message: `a step may ask for versions ${limit} times one after another: ask for each change once`,
    details: { limit },
  });
};

const verdict = ({ change }: VersionIntent, step: GuestStep): GuestEvent => ({
  type: 'version',
  change,
  chosen: isChosen(change, step),
});

const isChosen = (change: string, { recorded }: GuestStep): boolean =>
  recorded === null || recorded.some((intent) => intent.type === 'version' && intent.change === change);

const chosenOnly = (intents: readonly Intent[], step: GuestStep): readonly Intent[] =>
  step.recorded === null
    ? intents
    : intents.filter((intent) => intent.type !== 'version' || isChosen(intent.change, step));
