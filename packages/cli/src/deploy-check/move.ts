/** Moves the jobs that were found compatible, and looks again at those that went on meanwhile. */
import { isFinal, limits, type JobView, type RepinResult } from '@mvm-ci/protocol';
import { setTimeout as pause } from 'node:timers/promises';
import { cliLimits } from '../limits.ts';
import { check, type CheckParts, type Verdict } from './check.ts';

/** What became of the jobs. */
export interface Moved {
  /** Ids of those that go on with the new module. */
  readonly moved: readonly string[];
  /** Those that stay on theirs although they were compatible, and why. */
  readonly left: readonly RepinResult[];
  /** Those that turned out not to be compatible at the second look. */
  readonly diverged: readonly Verdict[];
}

/** Moves the jobs of `verdicts`; all of them must be compatible. */
export const move = async (verdicts: readonly Verdict[], parts: CheckParts): Promise<Moved> => {
  const moved: string[] = [];
  const diverged: Verdict[] = [];
  let left: RepinResult[] = [];
  let wanted = verdicts;
  for (let round = 1; wanted.length > 0; round += 1) {
    const results = await repinned(wanted, parts);
    for (const { job_id: id, result } of results) if (result === 'moved') moved.push(id);
    const rest = results.filter(({ result }) => result !== 'moved');
    left = [...left.filter(({ job_id: id }) => !rest.some((one) => one.job_id === id)), ...rest];
    const again = rest.filter(({ result }) => result === 'held' || result === 'changed');
    if (again.length === 0 || round === cliLimits.moveRoundsMax) break;
    await pause(cliLimits.moveRoundMs);
    const second = await check(await stillLive(again, parts), parts);
    diverged.push(...second.filter(({ compatible }) => !compatible));
    wanted = second.filter(({ compatible }) => compatible);
  }
  const gone = new Set([...moved, ...diverged.map(({ job_id: id }) => id)]);
  return { moved, left: left.filter(({ job_id: id }) => !gone.has(id)), diverged };
};

const repinned = async (
  verdicts: readonly Verdict[],
  { client, module: { name, version } }: CheckParts,
): Promise<readonly RepinResult[]> => {
  const results: RepinResult[] = [];
  for (let first = 0; first < verdicts.length; first += limits.repinJobsMax) {
    const jobs = verdicts
      .slice(first, first + limits.repinJobsMax)
      .map(({ job_id, attempt, journal_entries }) => ({ job_id, attempt, journal_entries }));
    results.push(...(await client.repin({ name, version, jobs })));
  }
  return results;
};

const stillLive = async (results: readonly RepinResult[], { client }: CheckParts): Promise<readonly JobView[]> => {
  const jobs: JobView[] = [];
  for (const { job_id: id } of results) jobs.push(await client.status(id));
  return jobs.filter(({ status }) => !isFinal(status));
};
