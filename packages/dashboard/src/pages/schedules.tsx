/** The schedules: what is published when. */
import { routePath, type ScheduleView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { get, post } from '../api/request.ts';
import { useLive } from '../live/use-live.ts';
import { Action } from '../parts/dialog.tsx';
import { JobLink } from '../parts/links.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, useNow } from '../parts/time.tsx';

const everyMs = 5_000;

/** The page with all of them. */
export const SchedulesPage = (): VNode => {
  const path = routePath('schedules');
  const { value, error } = useLive(path, (signal) => get<readonly ScheduleView[]>(path, signal), {
    everyMs,
    concerns: () => false,
  });
  const now = useNow();
  return (
    <>
      <h1>Schedules</h1>
      <ErrorNote message={error} />
      {value === undefined || value.length === 0 ? (
        <Empty isLoading={value === undefined && error === undefined}>There is no schedule.</Empty>
      ) : (
        <Table caption="Schedules" columns={['Schedule', 'Times', 'Publishes', 'Next', 'Last', 'Skipped', 'Actions']}>
          {value.map((schedule) => (
            <Row key={schedule.schedule} schedule={schedule} now={now} />
          ))}
        </Table>
      )}
    </>
  );
};

const Row = ({ schedule, now }: { readonly schedule: ScheduleView; readonly now: number }): VNode => {
  const { spec, error } = schedule;
  return (
    <tr>
      <td class="id">{schedule.schedule}</td>
      <td>
        <code>{spec.cron}</code> <span class="quiet">{spec.time_zone ?? 'UTC'}</span>
      </td>
      <td>{spec.job.workflow ?? spec.job.handler ?? 'a payload'}</td>
      <td>
        {spec.paused === true ? (
          <span class="badge mode-paused">paused</span>
        ) : (
          <Ago at={schedule.next_at_ms} now={now} />
        )}
      </td>
      <td>
        <Ago at={schedule.last_at_ms} now={now} /> {schedule.last_job !== null && <JobLink id={schedule.last_job} />}
        {error !== null && <p class="error-note">{`${error.code}: ${error.message}`}</p>}
      </td>
      <td>{schedule.skipped}</td>
      <td>
        <ScheduleActions schedule={schedule} />
      </td>
    </tr>
  );
};

const ScheduleActions = ({ schedule: { schedule, spec } }: { readonly schedule: ScheduleView }): VNode => {
  const isPaused = spec.paused === true;
  return (
    <div class="buttons">
      <Action
        label="Trigger"
        question={`${schedule}: its job is published now.`}
        act={() => post(routePath('scheduleTrigger', { schedule }))}
      />
      <Action
        label={isPaused ? 'Resume' : 'Pause'}
        question={`${schedule}: ${isPaused ? 'it publishes again at its times' : 'nothing is published until it is resumed; the times that pass are not made up for'}.`}
        act={() => post(routePath('schedule', { schedule }), { ...spec, paused: !isPaused })}
      />
      <Action
        label="Delete"
        question={`${schedule} is deleted; its jobs stay.`}
        isDestructive
        act={() => post(routePath('scheduleDelete', { schedule }))}
      />
    </div>
  );
};
