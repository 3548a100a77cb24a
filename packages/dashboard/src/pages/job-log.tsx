import { routePath, type JobView, type LogLevel } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api/request.ts';
import { timeText } from '../format/time.ts';
import { useLive } from '../live/use-live.ts';
import { Empty, ErrorNote } from '../parts/notice.tsx';

interface LogLine {
  readonly seq: number;
  readonly at: number;
  readonly level: LogLevel;
  readonly text: string;
}

/** What a job logged in its current attempt; follows the end unless somebody has scrolled away from it. */
export const JobLog = ({ job }: { readonly job: JobView }): VNode | null => {
  const path = routePath('logs', { job: job.job_id });
  const { value, error } = useLive(path, (signal) => get<readonly LogLine[]>(path, signal), {
    concerns: ({ job_id }) => job_id === job.job_id,
  });
  const place = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(true);
  useEffect(() => {
    if (follows && place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [value?.length, follows]);
  if (job.workflow === null) return null;
  const scrolled = ({ currentTarget }: Event): void => {
    if (!(currentTarget instanceof HTMLElement)) return;
    const { scrollTop, scrollHeight, clientHeight } = currentTarget;
    setFollows(scrollHeight - scrollTop - clientHeight < 8);
  };
  return (
    <section>
      <h2>Log</h2>
      <ErrorNote message={error} />
      {value === undefined || value.length === 0 ? (
        <Empty isLoading={value === undefined && error === undefined}>It logged nothing.</Empty>
      ) : (
        <div class="log" ref={place} tabIndex={0} role="log" aria-label="Log" onScroll={scrolled}>
          {value.map((line, index) => (
            <div key={index} class={`level-${line.level}`}>
              <time title={timeText(line.at)}>{new Date(line.at).toISOString().slice(11, 23)}</time>{' '}
              <span class="level">{line.level}</span> <span class="pre">{line.text}</span>
            </div>
          ))}
        </div>
      )}
    </section>
  );
};
