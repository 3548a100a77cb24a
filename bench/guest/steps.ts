/** The script guest of the benches: the same two workflows as `steps.as`. */

/** Completes in its first step. */
export const nothing = async (): Promise<null> => Promise.resolve(null);

/** Three effects, one after the other. */
export const three_effects = async (): Promise<null> => {
  for (let call = 1; call <= 3; call += 1) await fetch('http://effect.invalid/');
  return null;
};
