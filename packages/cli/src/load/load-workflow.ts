/**
 * The workflow that load tests run, bundled for the engine by `mvm-ci load`: it spins, sleeps and asks, as its input says. It tells the time
 * of its first step, which is when a job started for its worker; when it ended is the control plane's to say.
 */

/** What one job does, in this order. */
export interface LoadInput {
  /** Rounds of arithmetic: how many of them are a millisecond is measured before. */
  readonly rounds: number;
  readonly sleepMs: number;
  /** Asked one after the other, by GET. */
  readonly urls: readonly string[];
}

/** What a job returns. */
export interface LoadResult {
  /** Unix ms, by the clock of the engine's machine. */
  readonly startedMs: number;
  /** The outcome of the arithmetic, so that no compiler leaves it out. */
  readonly sum: number;
}

/** The workflow. */
export const load = async ({ rounds, sleepMs, urls }: LoadInput): Promise<LoadResult> => {
  const startedMs = Date.now();
  let sum = 0;
  for (let round = 0; round < rounds; round += 1) sum = (sum + round) % 1_000_003;
  if (sleepMs > 0) await new Promise((resolve) => setTimeout(resolve, sleepMs));
  for (const url of urls) {
    const response = await fetch(url);
    await response.text();
    if (!response.ok) throw new Error(`${url} answered with ${response.status}`);
  }
  return { startedMs, sum };
};
