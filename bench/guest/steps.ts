/** The script guest of the benches: workflows of the same names as in `steps.as`. */

/** Completes in its first step. */
export const nothing = async (): Promise<null> => Promise.resolve(null);

/** Three requests, one after the other. Input: the URL; null for one that nobody is asked for. */
export const three_effects = async (url: string | null): Promise<null> => {
  for (let call = 1; call <= 3; call += 1) await fetch(url ?? 'http://effect.invalid/');
  return null;
};

/** As many requests as `count` says, one after the other. */
export const sequence = async (count: number): Promise<null> => {
  for (let call = 1; call <= count; call += 1) await fetch('http://effect.invalid/');
  return null;
};

/** Keeps the processor busy for `rounds` rounds, within one step. */
export const busy = async (rounds: number): Promise<number> => {
  let sum = 0;
  for (let round = 0; round < rounds; round += 1) sum = (sum + round) % 1_000_003;
  return Promise.resolve(sum);
};
