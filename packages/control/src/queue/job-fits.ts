/** Whether a job is one that a filter is for: what `store/job-search.ts` says in SQL, of a job at hand. */
import { isFinal, type JobFilter, type JobView } from '@mvm-ci/protocol';

/** Whether `job` fits `filter`. */
export const jobFits = (job: JobView, filter: JobFilter): boolean =>
  fitsLabels(job, filter) && fitsContent(job, filter);

const fitsLabels = (job: JobView, { state, queue, key, tag }: JobFilter): boolean =>
  (state === undefined || (state === 'live' ? !isFinal(job.status) : state === job.status)) &&
  (queue === undefined || queue === job.queue) &&
  (key === undefined || key === job.key) &&
  (tag === undefined || job.tags.includes(tag));

const fitsContent = (job: JobView, filter: JobFilter): boolean => {
  const { module, error, since_ms: since = 0, until_ms: until = Infinity } = filter;
  return (
    (module === undefined || job.workflow?.startsWith(`${module}@`) === true) &&
    (error === undefined || error === job.error?.code) &&
    job.created_at_ms >= since &&
    job.created_at_ms < until
  );
};
