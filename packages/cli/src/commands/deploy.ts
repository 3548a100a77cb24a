import type { DeployedModule } from '@mvm-ci/protocol';
import { Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { checkedDeploy, policies, type Policy } from '../deploy-check/checked-deploy.ts';
import { checkText } from '../deploy-check/check-text.ts';
import { loadModule, type NamedModule } from '../module-archive.ts';
import { exitCodes } from '../output/failure.ts';
import type { Registrar, Server } from './registrar.ts';

interface DeployFlags {
  readonly as?: string;
  readonly check?: boolean;
  readonly then?: Policy;
  readonly local?: boolean;
}

const help = (server: Server): string => `
--check replays the journals of all jobs that run another version of the module and are not over, without any effect, and tells which of them
could go on with the new one. Then, with --then pin, it is deployed and they stay on theirs; with --then move those that could go on with it
do so; with --then abort nothing is deployed if there is one that could not, and the exit code is 1.
${server.examples(
  'deploy examples/01-crawler',
  'deploy crawler@1.0.0.mvm',
  'deploy flow.ts --as flow@2',
  'deploy flow.ts --as flow@3 --check --then move',
)}`;

/** `mvm-ci deploy DIR|FILE` */
export const registerDeploy = ({ program, host, server, exit }: Registrar): void => {
  const command = program.command('deploy <path>');
  server
    .withOptions(command.description('build a workflow folder, or take a module file, and deploy it'))
    .option('--as <name@version>', 'deploy under this name and version (default: those that it names itself)')
    .option('--check', 'first replay all live jobs of the module with it')
    .addOption(new Option('--then <what>', 'what to do after the check (default: pin)').choices(policies))
    .option('--local', 'replay them in this process, and leave idle workers alone')
    .addHelpText('after', help(server))
    .action(async (path: string, flags: DeployFlags) => {
      if ((flags.then !== undefined || flags.local) && flags.check !== true)
        command.error('error: --then and --local go with --check only');
      const context = server.open(flags);
      const module = await loadModule(host, path, flags.as);
      const { admitModule } = await import('@mvm-ci/engine');
      await admitModule(module.file);
      if (flags.check !== true) {
        const deployed = await deployOnly(context, module);
        return context.terminal.result(deployed, () => deployedText(deployed, context, server));
      }
      const report = await checkedDeploy(context, module, {
        policy: flags.then ?? 'pin',
        isLocal: flags.local === true,
      });
      context.terminal.result(report, () => checkText(report, context.terminal));
      if (!report.deployed) exit(exitCodes.failed);
    });
};

const deployOnly = ({ client }: CommandContext, { name, version, bytes }: NamedModule): Promise<DeployedModule> =>
  client().deploy({ name, version, file: bytes });

const deployedText = (deployed: DeployedModule, { terminal }: CommandContext, server: Server): string =>
  terminal.facts([
    ['deployed', `${deployed.name}@${deployed.version}`],
    ['workflows', deployed.workflows.join(', ')],
    ['hash', deployed.hash],
    ['try it', server.startLine(deployed)],
  ]);
