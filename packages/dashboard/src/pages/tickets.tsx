/** The tickets: by which nodes join. */
import { routePath, type CreatedTicket, type TicketView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { get, post } from '../api/request.ts';
import { useLive } from '../live/use-live.ts';
import { Action, fieldText } from '../parts/dialog.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { QrCode } from '../parts/qr-code.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, useNow } from '../parts/time.tsx';

const everyMs = 5_000;
const hourMs = 3_600_000;

/** The page with all of them, and one that was just made. */
export const TicketsPage = (): VNode => {
  const path = routePath('tickets');
  const { value, error, reload } = useLive(path, (signal) => get<readonly TicketView[]>(path, signal), {
    everyMs,
    concerns: () => false,
  });
  const [made, setMade] = useState<CreatedTicket>();
  const now = useNow();
  return (
    <>
      <h1>Tickets</h1>
      <Make
        show={(ticket) => {
          setMade(ticket);
          reload();
        }}
      />
      {made && <Made ticket={made} />}
      <ErrorNote message={error} />
      {value === undefined ? (
        <Empty isLoading={error === undefined}>The tickets can’t be shown.</Empty>
      ) : (
        <Table
          caption="Tickets, the latest first"
          columns={['Ticket', 'Name', 'Role', 'Tags', 'State', 'Uses', 'Made', 'Expires', 'Actions']}
        >
          {value.map((ticket) => (
            <Row key={ticket.id} ticket={ticket} now={now} />
          ))}
        </Table>
      )}
    </>
  );
};

const Row = ({ ticket, now }: { readonly ticket: TicketView; readonly now: number }): VNode => (
  <tr>
    <td class="id">{ticket.id}</td>
    <td>{ticket.name ?? ''}</td>
    <td>{ticket.role}</td>
    <td>{ticket.tags.join(', ')}</td>
    <td>{ticket.state}</td>
    <td>
      {ticket.uses}
      {ticket.uses_max === null ? '' : ` of ${ticket.uses_max}`}
    </td>
    <td>
      <Ago at={ticket.created_at_ms} now={now} />
    </td>
    <td>
      <Ago at={ticket.expires_at_ms} now={now} />
    </td>
    <td>
      {ticket.state === 'open' && (
        <Action
          label="Revoke"
          question={`The ticket ${ticket.id} lets no new node in. Nodes that joined by it stay.`}
          isDestructive
          act={() => post(routePath('ticketRevoke', { ticket: ticket.id }))}
        />
      )}
    </td>
  </tr>
);

const Make = ({ show }: { readonly show: (ticket: CreatedTicket) => void }): VNode => {
  const act = async (fields: FormData): Promise<void> => {
    const hours = fieldText(fields, 'hours');
    const uses = fieldText(fields, 'uses');
    show(
      await post<CreatedTicket>(routePath('tickets'), {
        name: fieldText(fields, 'name'),
        role: fieldText(fields, 'role'),
        tags: fieldText(fields, 'tags')?.split(/[\s,]+/),
        uses: uses === undefined ? undefined : Number(uses),
        expires_in_ms: hours === undefined ? undefined : Number(hours) * hourMs,
      }),
    );
  };
  return (
    <Action
      label="Make a ticket"
      question="Who has the ticket’s text can join until it is used up, expired or revoked."
      act={act}
    >
      <label>
        Name
        <input name="name" />
      </label>
      <label>
        Role
        <select name="role">
          <option value="worker">worker: runs jobs</option>
          <option value="publisher">publisher: publishes jobs and watches them</option>
          <option value="admin">admin: everything</option>
        </select>
      </label>
      <label>
        Tags
        <input name="tags" />
      </label>
      <label>
        Uses
        <input name="uses" type="number" min={1} />
      </label>
      <label>
        Hours until it expires
        <input name="hours" type="number" min={1} />
      </label>
    </Action>
  );
};

const Made = ({ ticket }: { readonly ticket: CreatedTicket }): VNode => (
  <section>
    <h2>The new ticket</h2>
    <p>It is shown here once; the control plane keeps no copy of it.</p>
    <pre tabIndex={0} aria-label="Ticket">
      {ticket.ticket}
    </pre>
    <QrCode text={ticket.ticket} label="The ticket as a QR code" />
  </section>
);
