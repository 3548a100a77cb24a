/**
 * For how long the oldest pending job waits. The API lists the newest first, so it is sought by halving: among those
 * published before a time that is nearer and nearer to it.
 */
import { routePath, type JobView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { getPage } from '../api/request.ts';
import { durationText } from '../format/time.ts';
import { useLive } from '../live/use-live.ts';
import { useNow } from '../parts/time.tsx';
import { jobPath, jobsPath } from '../paths.ts';

const everyMs = 10_000;
/** Near enough: two jobs that were published within this time are equally old. */
const nearMs = 1_000;

/** A figure of the overview. */
export const OldestPending = (): VNode => {
  const { value } = useLive('oldest-pending', oldestPending, { everyMs, concerns: () => false });
  const now = useNow();
  return (
    <li>
      <a class="count" href={value ? jobPath(value.job_id) : jobsPath({ state: 'pending' })}>
        <strong>{value ? durationText(now - value.created_at_ms) : '–'}</strong>
        oldest pending
      </a>
    </li>
  );
};

const oldestPending = async (signal: AbortSignal): Promise<JobView | null> => {
  let found = await newestBefore(undefined, signal);
  let low = 0;
  // Ages grow by doubling, then the space between the last two is halved.
  for (let ageMs = nearMs; found !== undefined && low < found.created_at_ms - nearMs; ageMs *= 2) {
    const middle = Math.max(Math.floor((low + found.created_at_ms) / 2), found.created_at_ms - ageMs);
    const older = await newestBefore(middle, signal);
    if (older === undefined) {
      low = middle;
      ageMs = nearMs;
    } else found = older;
  }
  return found ?? null;
};

const newestBefore = async (untilMs: number | undefined, signal: AbortSignal): Promise<JobView | undefined> => {
  const path = routePath('list', {}, { state: 'pending', until_ms: untilMs, limit: 1 });
  return (await getPage<JobView>(path, signal)).items[0];
};
