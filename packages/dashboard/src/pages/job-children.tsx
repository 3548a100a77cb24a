import { routePath, type JobView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { getPage } from '../api/request.ts';
import { useLive } from '../live/use-live.ts';
import { JobTable } from '../parts/job-table.tsx';
import { ErrorNote } from '../parts/notice.tsx';

/** The jobs that a workflow started; nothing when there are none. */
export const JobChildren = ({ job }: { readonly job: JobView }): VNode | null => {
  const path = routePath('children', { job: job.job_id });
  const { value, error } = useLive(path, (signal) => getPage<JobView>(path, signal), {
    concerns: ({ job_id, parent }) => job_id === job.job_id || parent === job.job_id,
  });
  if (error === undefined && (value === undefined || value.items.length === 0)) return null;
  return (
    <section>
      <h2>Children</h2>
      <ErrorNote message={error} />
      {value && <JobTable caption="Jobs that this one started" jobs={value.items} />}
    </section>
  );
};
