/** Several things at the same time, with an end that reaches all of them. */

/** A branch: what it waits for, it waits for with `signal`. */
export type Branch<Result> = (signal: AbortSignal) => Promise<Result>;

/**
 * Runs all branches, and gives their results in order. When one of them throws, the others' signal aborts: what they wait for is
 * abandoned, and the error is thrown once they have ended.
 *
 * @example const [page, rate] = await all([(signal) => fetch(url, { signal }), (signal) => rateOf(currency, signal)]);
 */
export const all = async <Results extends readonly unknown[]>(branches: {
  readonly [K in keyof Results]: Branch<Results[K]>;
}): Promise<Results> => {
  const controller = new AbortController();
  const running = branches.map((branch) => begin(branch, controller.signal));
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each branch gives what its place in the tuple says
    return (await Promise.all(running)) as unknown as Results;
  } catch (error) {
    controller.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
};

/**
 * Runs all branches, and gives the result of the first that ends; the others' signal aborts then, and their ends are waited for.
 *
 * @throws what the first branch that ends throws.
 * @example const first = await race([(signal) => receive('stop', { signal }), (signal) => child.join({ signal })]);
 */
export const race = async <Result>(branches: readonly Branch<Result>[]): Promise<Result> => {
  if (branches.length === 0) throw new TypeError('race takes at least one branch');
  const controller = new AbortController();
  const running = branches.map((branch) => begin(branch, controller.signal));
  try {
    return await Promise.race(running);
  } finally {
    controller.abort();
    await Promise.allSettled(running);
  }
};

const begin = async <Result>(branch: Branch<Result>, signal: AbortSignal): Promise<Result> => branch(signal);
