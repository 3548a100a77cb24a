/** One job: what is known of it, why it is where it is, what it did, and what can be done about it. */
import { routePath, type JobView, type WhyView } from '@mvm-ci/protocol';
import { useRoute } from 'preact-iso';
import type { VNode } from 'preact';
import { get } from '../api/request.ts';
import { states } from '../format/state.ts';
import { durationText } from '../format/time.ts';
import { jsonText } from '../format/value.ts';
import { useLive } from '../live/use-live.ts';
import { Facts } from '../parts/facts.tsx';
import { JobLink, NodeLink } from '../parts/links.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { StateBadge } from '../parts/state-badge.tsx';
import { Ago, useNow } from '../parts/time.tsx';
import { jobsPath } from '../paths.ts';
import { JobActions } from './job-actions.tsx';
import { JobChildren } from './job-children.tsx';
import { JobLog } from './job-log.tsx';
import { JobTimeline } from './job-timeline.tsx';

const everyMs = 5_000;

/** The page of the job that the address names. */
export const JobPage = (): VNode => {
  const id = useRoute().params['id'] ?? '';
  const concerns = ({ job_id }: JobView): boolean => job_id === id;
  const { value: job, error } = useLive(
    `job ${id}`,
    (signal) => get<JobView>(routePath('status', { job: id }), signal),
    {
      concerns,
      everyMs,
    },
  );
  return (
    <>
      <h1>
        <span class="quiet">Job</span> <span class="id">{id}</span> {job && <StateBadge state={job.status} />}
      </h1>
      <ErrorNote message={error} />
      {job === undefined ? (
        <Empty isLoading={error === undefined}>This job can’t be shown.</Empty>
      ) : (
        <Shown key={id} job={job} />
      )}
    </>
  );
};

const Shown = ({ job }: { readonly job: JobView }): VNode => (
  <>
    <JobActions job={job} />
    {job.progress !== null && <Progress job={job} />}
    <Why job={job} />
    <JobFacts job={job} />
    <Value title={job.workflow === null ? 'Payload' : 'Input'} value={job.payload} />
    {job.response !== null && <Value title="Early response" value={job.response.value} />}
    {job.status === 'completed' && <Value title="Result" value={job.result} />}
    {job.error !== null && (
      <section>
        <h2>Error</h2>
        <p class="error-note">
          <strong>{job.error.code}</strong> <span class="pre">{job.error.message}</span>
        </p>
      </section>
    )}
    <JobTimeline job={job} />
    <JobLog job={job} />
    <JobChildren job={job} />
  </>
);

const Progress = ({ job: { progress } }: { readonly job: JobView }): VNode | null =>
  progress && (
    <p>
      <label>
        <progress max={100} value={progress.percent} /> {Math.round(progress.percent)} % {progress.text}
      </label>
    </p>
  );

const Why = ({ job }: { readonly job: JobView }): VNode => {
  const { value, error } = useLive(
    `why ${job.job_id}`,
    (signal) => get<WhyView>(routePath('why', { job: job.job_id }), signal),
    { concerns: ({ job_id }) => job_id === job.job_id, everyMs },
  );
  return (
    <section aria-label="Why">
      <ErrorNote message={error} />
      <ul class="why">
        {value?.reasons.map((reason, index) => (
          <li key={index}>{reason.text}</li>
        ))}
      </ul>
    </section>
  );
};

const JobFacts = ({ job }: { readonly job: JobView }): VNode => {
  const now = useNow();
  const endedAt = states[job.status].isFinal ? job.updated_at_ms : now;
  return (
    <Facts
      rows={[
        ['Workflow', job.workflow ?? 'none: a payload for clients'],
        ['Queue', <a href={jobsPath({ queue: job.queue })}>{job.queue}</a>],
        ['Key', job.key === null ? '–' : <a href={jobsPath({ queue: job.queue, key: job.key })}>{job.key}</a>],
        ['Priority', job.priority],
        ['Attempt', `${job.attempt} of ${job.attempts_max}`],
        ['Published', <Ago at={job.created_at_ms} now={now} />],
        ['Changed', <Ago at={job.updated_at_ms} now={now} />],
        [states[job.status].isFinal ? 'Took' : 'So far', durationText(endedAt - job.created_at_ms)],
        ['Not before', states[job.status].isFinal ? '–' : <Ago at={job.run_at_ms} now={now} />],
        ['Deadline', <Ago at={job.deadline_at_ms} now={now} />],
        ['Worker', <NodeLink node={job.claimed_by} />],
        ['Epoch', job.epoch],
        ['Continued', `${job.resumes} times; ${job.lost_leases} lost leases`],
        ['Parent', job.parent === null ? '–' : <JobLink id={job.parent} />],
        ['After', job.after.length === 0 ? '–' : job.after.map((id) => <JobLink key={id} id={id} />)],
        ['Tags', [...job.tags, ...job.requires.map((tag) => `needs ${tag}`)].join(', ') || '–'],
      ]}
    />
  );
};

const Value = ({ title, value }: { readonly title: string; readonly value: unknown }): VNode => (
  <section>
    <h2>{title}</h2>
    <pre tabIndex={0} aria-label={title}>
      {jsonText(value)}
    </pre>
  </section>
);
