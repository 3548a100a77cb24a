/**
 * A wall clock finer than whole milliseconds: it waits for the tick of `Date.now` and counts on from there. Good for a
 * minute or so, until the machine's clock is corrected.
 *
 * @returns Unix time in ms, with fractions
 */
export const preciseClock = (): (() => number) => {
  const before = Date.now();
  let tick = before;
  while (tick === before) tick = Date.now();
  const offsetMs = tick - performance.now();
  return () => performance.now() + offsetMs;
};
