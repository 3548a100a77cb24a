/** The webhooks: who is told of jobs. */
import { routePath, type WebhookView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { get, post } from '../api/request.ts';
import { useLive } from '../live/use-live.ts';
import { Action } from '../parts/dialog.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { Table } from '../parts/table.tsx';

const everyMs = 5_000;

/** The page with all of them. */
export const WebhooksPage = (): VNode => {
  const path = routePath('webhooks');
  const { value, error } = useLive(path, (signal) => get<readonly WebhookView[]>(path, signal), {
    everyMs,
    concerns: () => false,
  });
  return (
    <>
      <h1>Webhooks</h1>
      <ErrorNote message={error} />
      {value === undefined || value.length === 0 ? (
        <Empty isLoading={value === undefined && error === undefined}>There is no webhook.</Empty>
      ) : (
        <Table
          caption="Webhooks"
          columns={['Webhook', 'URL', 'States', 'Queue', 'Signed', 'Given up', 'Last error', 'Actions']}
        >
          {value.map((one) => (
            <tr key={one.webhook}>
              <td class="id">{one.webhook}</td>
              <td>{one.url}</td>
              <td>{one.states.join(', ')}</td>
              <td>{one.queue ?? 'all'}</td>
              <td>{one.signed ? 'yes' : 'no'}</td>
              <td>{one.dropped}</td>
              <td>{one.error ?? ''}</td>
              <td>
                <Action
                  label="Delete"
                  question={`${one.webhook}: nobody at ${one.url} is told of jobs any more.`}
                  isDestructive
                  act={() => post(routePath('webhookDelete', { webhook: one.webhook }))}
                />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
};
