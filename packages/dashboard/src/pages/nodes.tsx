/** The nodes: who is there, what they run, and whether they are let in. */
import { routePath, type NodeView } from '@mvm-ci/protocol';
import type { VNode } from 'preact';
import { get, post } from '../api/request.ts';
import { shortId } from '../format/value.ts';
import { useLive } from '../live/use-live.ts';
import { Action, fieldText } from '../parts/dialog.tsx';
import { Empty, ErrorNote } from '../parts/notice.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, useNow } from '../parts/time.tsx';

/** The control plane asks silent workers whether they are there, each time. */
const everyMs = 3_000;

/** The page with all of them, those that are there first. */
export const NodesPage = (): VNode => {
  const path = routePath('nodes');
  const { value, error } = useLive(path, (signal) => get<readonly NodeView[]>(path, signal), {
    everyMs,
    concerns: () => false,
  });
  const now = useNow();
  const nodes = value?.toSorted((a, b) => Number(b.alive) - Number(a.alive) || a.name.localeCompare(b.name));
  return (
    <>
      <h1>Workers</h1>
      <ErrorNote message={error} />
      {nodes === undefined || nodes.length === 0 ? (
        <Empty isLoading={nodes === undefined && error === undefined}>No node has joined: make a ticket for one.</Empty>
      ) : (
        <Table
          caption="Nodes that have joined"
          columns={['Name', 'Node', 'State', 'Role', 'Jobs', 'Tags', 'Connection', 'Heard of', 'Actions']}
        >
          {nodes.map((node) => (
            <Row key={node.node} node={node} now={now} />
          ))}
        </Table>
      )}
    </>
  );
};

const Row = ({ node, now }: { readonly node: NodeView; readonly now: number }): VNode => (
  <tr>
    <td>{node.name}</td>
    <td class="id" title={node.node}>
      {shortId(node.node)}
    </td>
    <td>
      <span class={`badge node-${stateOf(node)}`} title={node.ban_reason ?? undefined}>
        {stateOf(node)}
      </span>
    </td>
    <td>{node.role}</td>
    <td>{node.jobs}</td>
    <td>{node.tags.join(', ')}</td>
    <td>{pathText(node)}</td>
    <td>
      <Ago at={node.seen_at_ms} now={now} />
    </td>
    <td>
      <NodeActions node={node} />
    </td>
  </tr>
);

const stateOf = ({ banned_at_ms: bannedAt, draining, alive }: NodeView): 'banned' | 'draining' | 'alive' | 'gone' => {
  if (bannedAt !== null) return 'banned';
  if (!alive) return 'gone';
  return draining ? 'draining' : 'alive';
};

const pathText = ({ connection }: NodeView): string => {
  const path = connection?.paths.find(({ selected }) => selected) ?? connection?.paths[0];
  return path === undefined ? '' : `${path.kind}, ${path.rtt_ms.toFixed(1)} ms, ${path.remote}`;
};

const NodeActions = ({ node }: { readonly node: NodeView }): VNode => {
  const parameters = { node: node.node };
  const name = `${node.name} (${shortId(node.node)})`;
  return (
    <div class="buttons">
      {node.alive && node.role === 'worker' && !node.draining && (
        <Action
          label="Drain"
          question={`${name} takes no more jobs, finishes or gives back those that it holds, and ends.`}
          isDestructive
          act={() => post(routePath('nodeDrain', parameters))}
        />
      )}
      {node.banned_at_ms === null ? (
        <Action
          label="Ban"
          question={`${name} is cut off at once, its jobs go to others, and it is refused from now on.`}
          isDestructive
          act={(fields) => post(routePath('nodeBan', parameters), { reason: fieldText(fields, 'reason') })}
        >
          <label>
            Reason
            <input name="reason" />
          </label>
        </Action>
      ) : (
        <Action
          label="Allow"
          question={`${name} is let in again.`}
          act={() => post(routePath('nodeAllow', parameters))}
        />
      )}
    </div>
  );
};
