import type { DeployedModule } from '@mvm-ci/protocol';
import { Option } from 'commander';
import { openContext, withClientOptions, type CommandContext } from '../command-context.ts';
import { checkedDeploy, policies, type Policy } from '../deploy-check/checked-deploy.ts';
import { checkText } from '../deploy-check/check-text.ts';
import { loadModule, type NamedModule } from '../module-archive.ts';
import { exitCodes } from '../output/failure.ts';
import { examples, type Registrar } from './registrar.ts';

interface DeployFlags {
  readonly as?: string;
  readonly check?: boolean;
  readonly then?: Policy;
}

const help = `
--check replays the journals of all jobs that run another version of the module and are not over, without any effect, and tells which of them
could go on with the new one. Then, with --then pin, it is deployed and they stay on theirs; with --then move those that could go on with it
do so; with --then abort nothing is deployed if there is one that could not, and the exit code is 1.
${examples(
  'deploy examples/01-crawler',
  'deploy crawler@1.0.0.mvm',
  'deploy flow.ts --as flow@2',
  'deploy flow.ts --as flow@3 --check --then move',
)}`;

/** `mvm-ci deploy DIR|FILE` */
export const registerDeploy = ({ program, host, exit }: Registrar): void => {
  const command = program.command('deploy <path>');
  withClientOptions(command.description('build a workflow folder, or take a module file, and deploy it'))
    .option('--as <name@version>', 'deploy under this name and version (default: those of package.json)')
    .option('--check', 'first replay all live jobs of the module with it')
    .addOption(new Option('--then <what>', 'what to do after the check (default: pin)').choices(policies))
    .addHelpText('after', help)
    .action(async (path: string, flags: DeployFlags) => {
      if (flags.then !== undefined && flags.check !== true) command.error('error: --then goes with --check only');
      const context = openContext(host, flags);
      const module = await loadModule(host, path, flags.as);
      const { admitModule } = await import('@mvm-ci/engine');
      await admitModule(module.file);
      if (flags.check !== true) return deployOnly(context, module);
      const report = await checkedDeploy(context, module, flags.then ?? 'pin');
      context.terminal.result(report, () => checkText(report, context.terminal));
      if (!report.deployed) exit(exitCodes.failed);
    });
};

const deployOnly = async ({ terminal, client }: CommandContext, module: NamedModule): Promise<void> => {
  const deployed = await client().deploy({ name: module.name, version: module.version, file: module.bytes });
  terminal.result(deployed, () => deployedText(deployed, terminal));
};

const deployedText = (deployed: DeployedModule, terminal: CommandContext['terminal']): string =>
  terminal.facts([
    ['deployed', `${deployed.name}@${deployed.version}`],
    ['workflows', deployed.workflows.join(', ')],
    ['hash', deployed.hash],
    ['try it', `npx mvm-ci publish ${deployed.name} --input '…'`],
  ]);
