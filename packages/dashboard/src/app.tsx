/** The frame around every page: where one can go, whether what is shown is fresh, and the door. */
import { LocationProvider, Route, Router, useLocation } from 'preact-iso';
import type { VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { session } from './api/session.ts';
import { jobFeed, type Freshness } from './live/job-feed.ts';
import { useObservable } from './observable.ts';
import { JobPage } from './pages/job.tsx';
import { JobsPage } from './pages/jobs.tsx';
import { ModulesPage } from './pages/modules.tsx';
import { NodesPage } from './pages/nodes.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { QueuesPage } from './pages/queues.tsx';
import { SchedulesPage } from './pages/schedules.tsx';
import { TicketsPage } from './pages/tickets.tsx';
import { WebhooksPage } from './pages/webhooks.tsx';
import { LogIn } from './parts/log-in.tsx';
import { base, jobsPath, paths } from './paths.ts';

/** Jobs that failed for good: a list like the others, where all can be retried. */
const deadLetters = jobsPath({ state: 'failed' });

const places: readonly (readonly [name: string, path: string])[] = [
  ['Overview', paths.overview],
  ['Jobs', paths.jobs],
  ['Dead letters', deadLetters],
  ['Queues', paths.queues],
  ['Schedules', paths.schedules],
  ['Workers', paths.nodes],
  ['Tickets', paths.tickets],
  ['Modules', paths.modules],
  ['Webhooks', paths.webhooks],
];

/** The dashboard. */
export const App = (): VNode => {
  const admission = useObservable(session.admission);
  if (admission.state === 'refused') return <LogIn message={admission.message} />;
  return (
    <LocationProvider scope={base}>
      <a class="skip" href="#content">
        To the content
      </a>
      <Head />
      <main id="content">
        <Router>
          <Route path={paths.overview} component={OverviewPage} />
          <Route path={paths.jobs} component={JobsPage} />
          <Route path={`${paths.jobs}/:id`} component={JobPage} />
          <Route path={paths.queues} component={QueuesPage} />
          <Route path={paths.schedules} component={SchedulesPage} />
          <Route path={paths.nodes} component={NodesPage} />
          <Route path={paths.tickets} component={TicketsPage} />
          <Route path={paths.modules} component={ModulesPage} />
          <Route path={paths.webhooks} component={WebhooksPage} />
          <Route default component={NoPage} />
        </Router>
      </main>
    </LocationProvider>
  );
};

const Head = (): VNode => {
  const { path, url } = useLocation();
  const isHere = (place: string): boolean => {
    if (place === paths.overview) return path === base || path === place;
    if (path.startsWith(paths.jobs)) return place === (url === deadLetters ? deadLetters : paths.jobs);
    return path === place;
  };
  const [here = 'mvm-ci'] = places.find(([, place]) => isHere(place)) ?? [];
  const [, job] = path.split(`${paths.jobs}/`);
  // What a tab and a bookmark are called.
  useEffect(() => {
    document.title = `${job ?? here} · mvm-ci`;
  }, [here, job]);
  return (
    <header>
      <a class="name" href={paths.overview}>
        mvm-ci
      </a>
      <nav aria-label="Pages">
        {places.map(([name, place]) => (
          <a key={place} href={place} aria-current={isHere(place) ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <FreshnessNote />
      {session.hasToken && (
        <button type="button" onClick={() => session.logOut()}>
          Log out
        </button>
      )}
    </header>
  );
};

const freshnessTexts: Readonly<Record<Freshness, string>> = {
  connecting: 'connecting …',
  live: 'live',
  polling: 'not live: asking every 3 s',
  hidden: 'paused',
};

const FreshnessNote = (): VNode => {
  const freshness = useObservable(jobFeed.freshness);
  return (
    <span class={`freshness ${freshness}`} role="status">
      {freshnessTexts[freshness]}
    </span>
  );
};

const NoPage = (): VNode => (
  <>
    <h1>There is no such page</h1>
    <p>
      <a href={paths.overview}>To the overview</a>
    </p>
  </>
);
