/** Every path of the dashboard, once. What a page shows is in its path and query, so each view has a link. */
import type { JobFilter } from '@mvm-ci/protocol';

/** Where the control plane serves the dashboard. */
export const base = '/dashboard';

/** The pages without a parameter. */
export const paths = {
  overview: `${base}/`,
  jobs: `${base}/jobs`,
  queues: `${base}/queues`,
  schedules: `${base}/schedules`,
  nodes: `${base}/nodes`,
  tickets: `${base}/tickets`,
  modules: `${base}/modules`,
  webhooks: `${base}/webhooks`,
} as const;

/** The page of a job. */
export const jobPath = (id: string): string => `${paths.jobs}/${encodeURIComponent(id)}`;

/** What narrows the list of jobs, with the place where a page of it begins. */
export type JobSearch = { readonly [K in keyof JobFilter]?: string | number | undefined } & {
  readonly after?: string | undefined;
};

/** The list of the jobs that fit. */
export const jobsPath = (search: JobSearch): string => withQuery(paths.jobs, search);

/** A path with those of the query's fields that say something. */
const withQuery = (path: string, query: Readonly<Record<string, string | number | undefined>>): string => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  return search.size === 0 ? path : `${path}?${search.toString()}`;
};
