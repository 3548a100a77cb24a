/** The queues: what is in them, their limits, and their modes. */
import { routePath, type QueueMode, type QueueView, type RateRule } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { get, post } from '../api/request.ts';
import { durationText } from '../format/time.ts';
import { useLive } from '../live/use-live.ts';
import { Action, fieldText } from '../parts/dialog.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { Table } from '../parts/table.tsx';
import { jobsPath } from '../paths.ts';

const everyMs = 5_000;

/** The page with all of them. */
export const QueuesPage = (): VNode => {
  const path = routePath('queues');
  const { value, error } = useLive(path, (signal) => get<readonly QueueView[]>(path, signal), { everyMs });
  return (
    <>
      <h1>Queues</h1>
      <ErrorNote message={error} />
      {value === undefined ? (
        <Empty isLoading={error === undefined}>The queues can’t be shown.</Empty>
      ) : (
        <Table caption="Queues" columns={['Queue', 'Mode', 'Ready', 'Running', 'Keys', 'Limits', 'Actions']}>
          {value.map((queue) => (
            <Row key={queue.queue} queue={queue} />
          ))}
        </Table>
      )}
    </>
  );
};

const Row = ({ queue }: { readonly queue: QueueView }): VNode => (
  <tr>
    <td>
      <a class="id" href={jobsPath({ queue: queue.queue })}>
        {queue.queue}
      </a>
    </td>
    <td>
      <span class={`badge mode-${queue.mode}`}>{queue.mode}</span>
    </td>
    <td>{queue.ready.toLocaleString()}</td>
    <td>{queue.running.toLocaleString()}</td>
    <td>{queue.ready_keys.toLocaleString()}</td>
    <td>{limitsText(queue)}</td>
    <td>
      <div class="buttons">
        {queue.mode !== 'open' && <Mode queue={queue} mode="open" />}
        {queue.mode !== 'paused' && <Mode queue={queue} mode="paused" />}
        {queue.mode !== 'draining' && <Mode queue={queue} mode="draining" />}
        <Limits queue={queue} />
      </div>
    </td>
  </tr>
);

const limitsText = ({
  settings: { concurrency, rate, pending_max: pendingMax, each_key: each, keys },
}: QueueView): string =>
  [
    concurrency !== undefined && `${concurrency} at a time`,
    rate && rateText(rate),
    pendingMax !== undefined && `at most ${pendingMax} ready`,
    each?.concurrency !== undefined && `${each.concurrency} of a key at a time`,
    each?.rate && `${rateText(each.rate)} of a key`,
    keys && `${Object.keys(keys).length} keys of their own`,
  ]
    .filter((text) => typeof text === 'string')
    .join(', ');

const rateText = ({ count, per_ms: perMs }: RateRule): string => `${count} in ${durationText(perMs)}`;

const modes: Readonly<Record<QueueMode, { readonly label: string; readonly question: string }>> = {
  open: { label: 'Resume', question: 'The queue gives jobs and takes new ones.' },
  paused: { label: 'Pause', question: 'The queue gives no jobs until it is resumed. Those that run go on.' },
  draining: { label: 'Drain', question: 'The queue gives the jobs that it has, and takes no new ones.' },
};

const Mode = ({ queue, mode }: { readonly queue: QueueView; readonly mode: QueueMode }): VNode => (
  <Action
    label={modes[mode].label}
    question={`${queue.queue}: ${modes[mode].question}`}
    isDestructive={mode !== 'open'}
    act={() => post(routePath('queue', { queue: queue.queue }), { mode })}
  />
);

const numberIn = (fields: FormData, name: string): number | null => {
  const text = fieldText(fields, name);
  return text === undefined ? null : Number(text);
};

const Limits = ({ queue }: { readonly queue: QueueView }): VNode => {
  const { concurrency, rate, pending_max: pendingMax } = queue.settings;
  const fields = [
    ['concurrency', 'Jobs at a time', concurrency],
    ['count', 'Claims', rate?.count],
    ['per_ms', 'in so many ms', rate?.per_ms],
    ['pending_max', 'Most that are ready', pendingMax],
  ] as const;
  const act = (form: FormData): Promise<unknown> => {
    const [count, perMs] = [numberIn(form, 'count'), numberIn(form, 'per_ms')];
    return post(routePath('queue', { queue: queue.queue }), {
      concurrency: numberIn(form, 'concurrency'),
      rate: count === null && perMs === null ? null : { count, per_ms: perMs },
      pending_max: numberIn(form, 'pending_max'),
    });
  };
  return (
    <Action label="Limits" question={`${queue.queue}: a field that is empty sets no limit.`} act={act}>
      {fields.map(([name, label, value]) => (
        <label key={name}>
          {label}
          <input name={name} type="number" min={0} defaultValue={value === undefined ? '' : String(value)} />
        </label>
      ))}
    </Action>
  );
};
