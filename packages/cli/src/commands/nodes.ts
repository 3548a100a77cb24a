import type { NodeView } from '@mvm-ci/protocol';
import { openContext, withClientOptions } from '../command-context.ts';
import { timeText } from '../output/job-view.ts';
import type { Column, Paint } from '../output/terminal.ts';
import { examples, type Registrar } from './registrar.ts';

interface ListedNode extends NodeView {
  readonly isHere: boolean;
}

const columns = (paint: Paint): readonly Column<ListedNode>[] => [
  { head: 'NODE', cell: (node) => node.node.slice(0, 10) },
  { head: 'NAME', cell: (node) => node.name },
  { head: 'STATE', cell: ({ isHere }) => (isHere ? paint.green('here') : paint.dim('gone')) },
  { head: 'JOBS', cell: (node) => String(node.jobs) },
  { head: 'SEEN', cell: (node) => timeText(node.seen_at_ms) },
  { head: 'JOINED', cell: (node) => timeText(node.joined_at_ms) },
];

const help = `
STATE is gone when a worker was not heard of for three idle heartbeats: 45 s, unless the control plane has other periods.
${examples('nodes', 'nodes --json')}`;

/** `mvm-ci nodes` */
export const registerNodes = ({ program, host }: Registrar): void => {
  withClientOptions(
    program.command('nodes').description('list all workers that ever joined, those that are here first'),
  )
    .addHelpText('after', help)
    .action(async (flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const connection = client();
      const [nodes, { workers }] = await Promise.all([connection.nodes(), connection.stats()]);
      terminal.result(nodes, () =>
        terminal.table(listed(nodes, workers), columns(terminal.paint), 'no workers have joined'),
      );
    });
};

// The control plane counts who is here, by its own clock and periods: those are the ones that it heard of last.
const listed = (nodes: readonly NodeView[], workers: number): readonly ListedNode[] =>
  nodes
    .toSorted((one, other) => other.seen_at_ms - one.seen_at_ms)
    .map((node, index) => ({ ...node, isHere: index < workers }));
