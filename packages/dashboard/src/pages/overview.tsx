/** What is going on: counts, rates, what failed last. */
import { routePath, type JobView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { getPage } from '../api/request.ts';
import { stateNames, states } from '../format/state.ts';
import { statsHistory } from '../live/stats-history.ts';
import { useLive } from '../live/use-live.ts';
import { useObservable } from '../observable.ts';
import { JobTable } from '../parts/job-table.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { RateChart } from '../parts/rate-chart.tsx';
import { jobsPath, paths } from '../paths.ts';
import { OldestPending } from './oldest-pending.tsx';

const rows = 10;

/** The first page. */
export const OverviewPage = (): VNode => (
  <>
    <h1>Overview</h1>
    <Counts />
    <section>
      <h2>Jobs per second</h2>
      <RateChart />
    </section>
    <Newest title="Failed last" search={{ state: 'failed' }} none="No job has failed." />
    <Newest title="Published last" search={{}} none="No job was published yet." />
  </>
);

const Counts = (): VNode => {
  const stats = useObservable(statsHistory.samples).at(-1)?.stats;
  return (
    <ul class="counts" aria-label="Jobs by state">
      {stateNames.map((state) => (
        <li key={state}>
          <a href={jobsPath({ state })} class={`count state-${state}`}>
            <strong>{stats === undefined ? '–' : stats[state].toLocaleString()}</strong>
            {states[state].word}
          </a>
        </li>
      ))}
      <li>
        <a href={paths.nodes} class="count">
          <strong>{stats === undefined ? '–' : stats.workers}</strong>
          workers alive
        </a>
      </li>
      <OldestPending />
    </ul>
  );
};

const Newest = ({
  title,
  search,
  none,
}: {
  readonly title: string;
  readonly search: { readonly state?: string };
  readonly none: string;
}): VNode => {
  const path = routePath('list', {}, { ...search, limit: rows });
  const { value, error } = useLive(path, (signal) => getPage<JobView>(path, signal));
  return (
    <section>
      <h2>{title}</h2>
      <ErrorNote message={error} />
      {value === undefined || value.items.length === 0 ? (
        <Empty isLoading={value === undefined}>{none}</Empty>
      ) : (
        <JobTable caption={title} jobs={value.items} />
      )}
    </section>
  );
};
