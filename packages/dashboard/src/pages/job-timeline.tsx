/** What a job asked for and was told, from its journal: as a table with a bar for each effect. */
import { routePath, type JobView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { get } from '../api/request.ts';
import { durationText, timeText } from '../format/time.ts';
import { jsonText } from '../format/value.ts';
import type { ShownJournal } from '../journal/shown-entry.ts';
import { timeline, type TimelineRow } from '../journal/timeline.ts';
import { useLive } from '../live/use-live.ts';
import { JobLink } from '../parts/links.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { Table } from '../parts/table.tsx';

/** Entries that are asked for at first, and the most at all (the API's own limit). */
const entriesFirst = 1_000;
const entriesMax = 10_000;

/** The timeline of one attempt: the current one at first. */
export const JobTimeline = ({ job }: { readonly job: JobView }): VNode | null => {
  const [attempt, setAttempt] = useState<number>();
  const [limit, setLimit] = useState(entriesFirst);
  const path = routePath('journal', { job: job.job_id }, { attempt, limit });
  const { value, error } = useLive(path, (signal) => get<ShownJournal>(path, signal), {
    concerns: ({ job_id }) => job_id === job.job_id,
  });
  if (job.workflow === null) return null;
  const rows = timeline(value?.entries ?? []);
  return (
    <section>
      <h2>Timeline</h2>
      <ErrorNote message={error} />
      {job.attempt > 1 && <Attempts last={job.attempt} chosen={attempt ?? job.attempt} choose={setAttempt} />}
      {rows.length === 0 ? (
        <Empty isLoading={value === undefined && error === undefined}>The journal is empty.</Empty>
      ) : (
        <Rows rows={rows} />
      )}
      {value?.entries.length === limit && limit < entriesMax && (
        <button type="button" onClick={() => setLimit(entriesMax)}>
          Show more entries
        </button>
      )}
    </section>
  );
};

const Attempts = ({
  last,
  chosen,
  choose,
}: {
  readonly last: number;
  readonly chosen: number;
  readonly choose: (attempt: number) => void;
}): VNode => (
  <label>
    Attempt{' '}
    <select value={String(chosen)} onChange={(event) => choose(Number(event.currentTarget.value))}>
      {Array.from({ length: last }, (_, index) => (
        <option key={index} value={String(index + 1)}>
          {index + 1}
        </option>
      ))}
    </select>
  </label>
);

const Rows = ({ rows }: { readonly rows: readonly TimelineRow[] }): VNode => {
  const from = rows[0]?.startedAtMs ?? 0;
  const to = Math.max(...rows.map((row) => row.endedAtMs ?? row.startedAtMs));
  return (
    <Table caption="What the job did" columns={['Entry', 'What', 'Class', 'Began', 'Took', 'Outcome', 'When']}>
      {rows.map((row) => (
        <tr key={row.key} class={`outcome-${row.outcome}`}>
          <td>{row.seq}</td>
          <td>
            <What row={row} />
          </td>
          <td>{row.effectClass ?? ''}</td>
          <td>
            <time title={timeText(row.startedAtMs)}>+{durationText(row.startedAtMs - from)}</time>
          </td>
          <td>{row.endedAtMs === undefined ? '' : durationText(row.endedAtMs - row.startedAtMs)}</td>
          <td class="clipped" title={row.outcomeText}>
            {row.outcome === 'open' ? 'no outcome yet' : row.outcomeText}
          </td>
          <td>
            <Bar row={row} from={from} to={to} />
          </td>
        </tr>
      ))}
    </Table>
  );
};

const What = ({ row }: { readonly row: TimelineRow }): VNode => (
  <details style={{ marginInlineStart: `${row.depth}rem` }}>
    <summary>
      <strong>{row.kind}</strong> {row.text} {row.job !== undefined && <JobLink id={row.job} />}
    </summary>
    {row.details.map((detail, index) => (
      <pre key={index}>{jsonText(detail, 20_000)}</pre>
    ))}
  </details>
);

const Bar = ({ row, from, to }: { readonly row: TimelineRow; readonly from: number; readonly to: number }): VNode => {
  const span = Math.max(1, to - from);
  const left = ((row.startedAtMs - from) / span) * 100;
  const end = row.endedAtMs ?? (row.outcome === 'open' ? to : row.startedAtMs);
  const width = Math.max(0.5, ((end - row.startedAtMs) / span) * 100);
  return (
    <div class="bar" aria-hidden="true">
      <div style={{ marginInlineStart: `${Math.min(left, 99.5)}%`, inlineSize: `${Math.min(width, 100 - left)}%` }} />
    </div>
  );
};
