/** What can be done about a job. */
import { routePath, type JobView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { post } from '../api/request.ts';
import { canDo } from '../format/state.ts';
import { parsedJson } from '../format/value.ts';
import { Action, fieldText } from '../parts/dialog.tsx';

/** A button for each thing that is possible now. */
export const JobActions = ({ job }: { readonly job: JobView }): VNode => {
  const parameters = { job: job.job_id };
  return (
    <div class="buttons">
      {canDo('cancel', job) && (
        <Action
          label="Cancel job"
          question="The job ends; what it has done stays done. One that a worker holds ends when the worker has heard of it."
          isDestructive
          act={(fields) => post(routePath('cancel', parameters), { reason: fieldText(fields, 'reason') })}
        >
          <label>
            Reason
            <input name="reason" />
          </label>
        </Action>
      )}
      {canDo('retry', job) && (
        <Action
          label="Retry job"
          question="The job is tried again with all its attempts and an empty journal."
          act={() => post(routePath('retry', parameters))}
        />
      )}
      {canDo('message', job) && <Message job={job} />}
      {canDo('move', job) && (
        <Action
          label="Move job"
          question="The job goes on at another worker, from its journal."
          act={(fields) => post(routePath('move', parameters), { worker: fieldText(fields, 'worker') ?? '' })}
        >
          <label>
            Worker: its name, or the beginning of its id
            <input name="worker" required />
          </label>
        </Action>
      )}
    </div>
  );
};

const Message = ({ job }: { readonly job: JobView }): VNode => (
  <Action
    label="Send message"
    question="The message waits in the job’s inbox until the workflow receives it."
    act={(fields) => {
      const text = fieldText(fields, 'data') ?? 'null';
      const parsed = parsedJson(text);
      if (parsed === undefined) throw new Error('The data is not JSON: a text needs quotes.');
      return post(routePath('send', { job: job.job_id }), {
        type: fieldText(fields, 'type') ?? '',
        data: parsed.value,
      });
    }}
  >
    <label>
      Type
      <input name="type" required />
    </label>
    <label>
      Data, JSON
      <textarea name="data" rows={4} spellcheck={false} />
    </label>
  </Action>
);
