import type { JobView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { JobLink, NodeLink } from './links.tsx';
import { StateBadge } from './state-badge.tsx';
import { Table } from './table.tsx';
import { Ago, useNow } from './time.tsx';

/** Jobs, one in a row. */
export const JobTable = ({ caption, jobs }: { readonly caption: string; readonly jobs: readonly JobView[] }): VNode => {
  const now = useNow();
  return (
    <Table
      caption={caption}
      columns={['Job', 'State', 'Workflow', 'Queue', 'Attempt', 'Progress', 'Worker', 'Published', 'Changed']}
    >
      {jobs.map((job) => (
        <tr key={job.job_id}>
          <td>
            <JobLink id={job.job_id} />
          </td>
          <td>
            <StateBadge state={job.status} />
          </td>
          <td>{job.workflow ?? <span class="quiet">payload</span>}</td>
          <td>
            {job.queue}
            {job.key !== null && <span class="quiet"> · {job.key}</span>}
          </td>
          <td>
            {job.attempt}/{job.attempts_max}
          </td>
          <td class="clipped">
            {job.error === null ? progressText(job) : <span title={job.error.message}>{job.error.code}</span>}
          </td>
          <td>
            <NodeLink node={job.claimed_by} />
          </td>
          <td>
            <Ago at={job.created_at_ms} now={now} />
          </td>
          <td>
            <Ago at={job.updated_at_ms} now={now} />
          </td>
        </tr>
      ))}
    </Table>
  );
};

const progressText = ({ progress }: JobView): string =>
  progress === null ? '' : `${Math.round(progress.percent)} % ${progress.text}`;
