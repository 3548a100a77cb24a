import type { NodeView } from '@mvm-ci/protocol';
import { openContext, withClientOptions } from '../command-context.ts';
import { timeText } from '../output/job-view.ts';
import type { Column } from '../output/terminal.ts';
import { examples, type Registrar } from './registrar.ts';

const columns: readonly Column<NodeView>[] = [
  { head: 'NODE', cell: (node) => node.node.slice(0, 10) },
  { head: 'NAME', cell: (node) => node.name },
  { head: 'JOBS', cell: (node) => String(node.jobs) },
  { head: 'SEEN', cell: (node) => timeText(node.seen_at_ms) },
  { head: 'JOINED', cell: (node) => timeText(node.joined_at_ms) },
];

/** `mvm-ci nodes` */
export const registerNodes = ({ program, host }: Registrar): void => {
  withClientOptions(program.command('nodes').description('list the workers that have joined'))
    .addHelpText('after', examples('nodes', 'nodes --json'))
    .action(async (flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const nodes = await client().nodes();
      terminal.result(nodes, () => terminal.table(nodes, columns, 'no workers have joined'));
    });
};
