import type { Client, ManyJobs } from '@mvm-ci/client';
import type { CommandContext } from '../command-context.ts';

/** Changes page after page of the jobs that fit, each job once, and shows how many there were. */
export const changeMany = async (
  { terminal, client }: CommandContext,
  change: (connection: Client, after: number | null) => Promise<ManyJobs>,
  done: string,
): Promise<void> => {
  const connection = client();
  const jobs: string[] = [];
  for (let after: number | null = null; ;) {
    const page: ManyJobs = await change(connection, after);
    jobs.push(...page.jobs);
    if (!hasMore(page)) break;
    terminal.note(`${jobs.length} so far`);
    after = page.next ?? null;
  }
  terminal.result({ jobs }, () => `${jobs.length} jobs ${done}`);
};

// Where no place is named, a page of which nothing could be changed would be the same again.
const hasMore = ({ more, jobs, next }: ManyJobs): boolean =>
  next === undefined ? more && jobs.length > 0 : next !== null;
