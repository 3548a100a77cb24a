import type { DeployedModule } from '@mvm-ci/protocol';
import { timeText } from '../output/job-view.ts';
import type { Column } from '../output/terminal.ts';
import type { Registrar } from './registrar.ts';

const columns: readonly Column<DeployedModule>[] = [
  { head: 'MODULE', cell: (module) => `${module.name}@${module.version}` },
  { head: 'KIND', cell: (module) => module.kind },
  { head: 'WORKFLOWS', cell: (module) => module.workflows.join(', ') },
  { head: 'BYTES', cell: (module) => String(module.bytes) },
  { head: 'HASH', cell: (module) => module.hash.slice(0, 12) },
  { head: 'DEPLOYED', cell: (module) => timeText(module.deployed_at_ms) },
];

/** `mvm-ci modules` */
export const registerModules = ({ program, server }: Registrar): void => {
  server
    .withOptions(program.command('modules').description('list the deployed modules'))
    .addHelpText('after', server.examples('modules', 'modules --json'))
    .action(async (flags: object) => {
      const { terminal, client } = server.open(flags);
      const modules = await client().modules();
      terminal.result(modules, () => terminal.table(modules, columns, 'no modules are deployed'));
    });
};
