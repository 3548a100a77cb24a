/**
 * Which server gets a run: of those that may have it, two at random, and of these the one with less to do (Mitzenmacher,
 * "The power of two choices in randomized load balancing", 2001). The best of all would be everybody's choice at once: many
 * workers share a pool, and what each knows of the others' runs is seconds old.
 */

/** A server, as far as a choice needs to know it. */
export interface Candidate {
  /** Whether it serves and isn't leaving. */
  readonly isServing: boolean;
  /** It failed a moment ago. */
  readonly isSuspect: boolean;
  /** It said a moment ago that it is busy. */
  readonly isBusy: boolean;
  /** Lower ones come first; a higher one is used when none of the lower ones can take a run (RFC 2782). */
  readonly priority: number;
  /** Its size beside others of its priority, above 0. */
  readonly weight: number;
  /** Part of its full share, up to 1, while it starts slowly. */
  readonly share: number;
  /** Runs there, as far as they are known. */
  readonly runs: number;
  readonly runsMax: number;
}

/** Whether it could take a run now. */
export const hasRoom = ({ isServing, isBusy, runs, runsMax }: Candidate): boolean =>
  isServing && !isBusy && runs < runsMax;

/** How full it would be with one run more, relative to its size. */
export const loadWith = ({ runs, runsMax, weight, share }: Candidate): number =>
  (runs + 1) / (runsMax * weight * share);

/**
 * The one that gets the next run; undefined when none has room. Suspects are used only when there is no other.
 *
 * @param unit a random number from 0 up to, not including, 1
 */
export const choose = <T extends Candidate>(candidates: readonly T[], unit: () => number): T | undefined => {
  const ready = candidates.filter(hasRoom);
  const sound = ready.filter(({ isSuspect }) => !isSuspect);
  return lessLoaded(firstPriority(sound.length > 0 ? sound : ready), unit);
};

const firstPriority = <T extends Candidate>(candidates: readonly T[]): readonly T[] => {
  const first = Math.min(...candidates.map(({ priority }) => priority));
  return candidates.filter(({ priority }) => priority === first);
};

const lessLoaded = <T extends Candidate>(candidates: readonly T[], unit: () => number): T | undefined => {
  const one = Math.floor(unit() * candidates.length);
  const step = 1 + Math.floor(unit() * (candidates.length - 1));
  const a = candidates[one];
  const b = candidates[(one + step) % candidates.length];
  if (!a || !b) return a;
  return loadWith(b) < loadWith(a) ? b : a;
};
