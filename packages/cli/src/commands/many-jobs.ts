import type { Client, ManyJobs } from '@mvm-ci/client';
import type { CommandContext } from '../command-context.ts';

/** Changes page after page of jobs until none is left that fits, and shows how many there were. */
export const changeMany = async (
  { terminal, client }: CommandContext,
  change: (connection: Client) => Promise<ManyJobs>,
  done: string,
): Promise<void> => {
  const connection = client();
  const jobs: string[] = [];
  for (;;) {
    const page = await change(connection);
    jobs.push(...page.jobs);
    // A page of which nothing could be changed would be the same again.
    if (!page.more || page.jobs.length === 0) break;
    terminal.note(`${jobs.length} so far`);
  }
  terminal.result({ jobs }, () => `${jobs.length} jobs ${done}`);
};
