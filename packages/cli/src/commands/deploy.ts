import { openContext, withClientOptions } from '../command-context.ts';
import { loadModule } from '../module-archive.ts';
import { examples, type Registrar } from './registrar.ts';

interface DeployFlags {
  readonly as?: string;
}

/** `mvm-ci deploy DIR|FILE` */
export const registerDeploy = ({ program, host }: Registrar): void => {
  const command = program.command('deploy <path>');
  withClientOptions(command.description('build a workflow folder, or take a module file, and deploy it'))
    .option('--as <name@version>', 'deploy under this name and version (default: those of package.json)')
    .addHelpText(
      'after',
      examples('deploy examples/01-crawler', 'deploy crawler@1.0.0.mvm', 'deploy flow.ts --as flow@2'),
    )
    .action(async (path: string, flags: DeployFlags) => {
      const { terminal, client } = openContext(host, flags);
      const module = await loadModule(host, path, flags.as);
      const { admitModule } = await import('@mvm-ci/engine');
      await admitModule(module.file);
      const deployed = await client().deploy({ name: module.name, version: module.version, file: module.bytes });
      terminal.result(deployed, () =>
        terminal.facts([
          ['deployed', `${deployed.name}@${deployed.version}`],
          ['workflows', deployed.workflows.join(', ')],
          ['hash', deployed.hash],
          ['try it', `npx mvm-ci publish ${deployed.name} --input '…'`],
        ]),
      );
    });
};
