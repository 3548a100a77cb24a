/** The list of jobs: narrowed, paged by the API's cursors, and fresh. What narrows it is in the page's address. */
import { routePath, type JobView } from '@mvm-ci/protocol';
import { useLocation } from 'preact-iso';
import type { VNode } from 'preact';
import { getPage, post } from '../api/request.ts';
import { stateNames, states } from '../format/state.ts';
import { useLive } from '../live/use-live.ts';
import { Action, fieldText } from '../parts/dialog.tsx';
import { JobTable } from '../parts/job-table.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { jobPath, jobsPath, paths, type JobSearch } from '../paths.ts';

const pageRows = 50;
const filterNames = ['state', 'module', 'queue', 'key', 'tag', 'error', 'since_ms', 'until_ms'] as const;

/** The page with the list. */
export const JobsPage = (): VNode => {
  const { query } = useLocation();
  const search = searchOf(query);
  const path = routePath('list', {}, { ...search, limit: pageRows });
  const { value, error } = useLive(path, (signal) => getPage<JobView>(path, signal));
  return (
    <>
      <h1>Jobs</h1>
      <OneJob />
      <Filters search={search} />
      <ErrorNote message={error} />
      {value === undefined || value.items.length === 0 ? (
        <Empty isLoading={value === undefined && error === undefined}>No job fits.</Empty>
      ) : (
        <JobTable caption="Jobs, the newest first" jobs={value.items} />
      )}
      <div class="buttons">
        {search.after !== undefined && <a href={jobsPath({ ...search, after: undefined })}>Newest</a>}
        {value?.next !== undefined && <a href={jobsPath({ ...search, after: value.next })}>Older</a>}
        <Many search={search} />
      </div>
    </>
  );
};

const searchOf = (query: Readonly<Record<string, string>>): JobSearch => {
  const names = [...filterNames, 'after'];
  return Object.fromEntries(Object.entries(query).filter(([name, value]) => names.includes(name) && value !== ''));
};

/** Goes to a job by its id. */
const OneJob = (): VNode => {
  const { route } = useLocation();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const id = fieldText(new FormData(event.target), 'id');
    if (id !== undefined) route(jobPath(id));
  };
  return (
    <form class="filters" role="search" onSubmit={submit}>
      <label>
        Job id
        <input name="id" type="search" spellcheck={false} />
      </label>
      <button type="submit">Open</button>
    </form>
  );
};

const texts: readonly (readonly [name: 'module' | 'queue' | 'key' | 'tag' | 'error', label: string])[] = [
  ['module', 'Workflow’s module'],
  ['queue', 'Queue'],
  ['key', 'Key'],
  ['tag', 'Tag'],
  ['error', 'Error code'],
];

const times: readonly (readonly [name: 'since_ms' | 'until_ms', label: string])[] = [
  ['since_ms', 'Published from'],
  ['until_ms', 'before'],
];

const Filters = ({ search }: { readonly search: JobSearch }): VNode => {
  const { route } = useLocation();
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (event.target instanceof HTMLFormElement) route(jobsPath(narrowed(new FormData(event.target))));
  };
  return (
    <form key={jobsPath(search)} class="filters" onSubmit={submit} aria-label="Filters">
      <label>
        State
        <select
          name="state"
          defaultValue={String(search.state ?? '')}
          onChange={(event) => event.currentTarget.form?.requestSubmit()}
        >
          <option value="">any</option>
          <option value="live">not over</option>
          {stateNames.map((state) => (
            <option key={state} value={state}>
              {states[state].word}
            </option>
          ))}
        </select>
      </label>
      {texts.map(([name, label]) => (
        <label key={name}>
          {label}
          <input name={name} defaultValue={String(search[name] ?? '')} spellcheck={false} />
        </label>
      ))}
      {times.map(([name, label]) => (
        <label key={name}>
          {label}
          <input name={name} type="datetime-local" step="1" defaultValue={localTime(search[name])} />
        </label>
      ))}
      <button type="submit">Search</button>
      <a href={paths.jobs}>All</a>
    </form>
  );
};

const narrowed = (fields: FormData): JobSearch =>
  Object.fromEntries(
    filterNames.map((name) => {
      const text = fieldText(fields, name);
      const isTime = name === 'since_ms' || name === 'until_ms';
      return [name, isTime && text !== undefined ? new Date(text).getTime() : text];
    }),
  );

/** A time as its field takes it: the reader's own. */
const localTime = (ms: string | number | undefined): string => {
  const at = new Date(Number(ms));
  if (ms === undefined || Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
};

interface ManyDone {
  readonly jobs: readonly string[];
  readonly more: boolean;
  readonly next: number | null;
}

/** Does something to all jobs that fit, page after page. */
const doMany = async (route: 'cancelMany' | 'retryMany', search: JobSearch): Promise<void> => {
  const filter = { ...search, after: undefined };
  const numbers = { since_ms: numberOf(filter.since_ms), until_ms: numberOf(filter.until_ms) };
  let next: number | null = null;
  do {
    const done: ManyDone = await post(routePath(route), {
      ...filter,
      ...numbers,
      ...(next !== null && { after: next }),
    });
    next = done.more ? done.next : null;
  } while (next !== null);
};

const numberOf = (text: string | number | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

const Many = ({ search }: { readonly search: JobSearch }): VNode => (
  <>
    {search.state === 'failed' && (
      <Action
        label="Retry all that fit"
        question="Every failed job that fits the filters is tried again, also those on other pages."
        act={() => doMany('retryMany', search)}
      />
    )}
    {search.state !== undefined &&
      ['pending', 'claimed', 'in_progress', 'waiting', 'live'].includes(String(search.state)) && (
        <Action
          label="Cancel all that fit"
          question="Every job that fits the filters is cancelled, also those on other pages."
          isDestructive
          act={() => doMany('cancelMany', search)}
        />
      )}
  </>
);
