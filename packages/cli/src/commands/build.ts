import { openContext, pathFrom, withJson } from '../command-context.ts';
import { archiveName, loadModule, writeArchive } from '../module-archive.ts';
import { examples, type Registrar } from './registrar.ts';

interface BuildFlags {
  readonly out?: string;
}

/** `mvm-ci build DIR` */
export const registerBuild = ({ program, host }: Registrar): void => {
  withJson(program.command('build <folder>').description('build a workflow folder into a module file'))
    .option('--out <file>', 'where to write it (default: name@version.mvm in the current folder)')
    .addHelpText('after', examples('build examples/01-crawler', 'build examples/01-crawler --out crawler@1.0.0.mvm'))
    .action(async (folder: string, flags: BuildFlags) => {
      const { terminal } = openContext(host, flags);
      const module = await loadModule(host, folder, undefined);
      const out = pathFrom(host, flags.out ?? archiveName(module));
      await writeArchive(out, module);
      const { name, version, hash, bytes, file } = module;
      const built = { name, version, hash, kind: file.kind, workflows: file.workflows, bytes: bytes.length, file: out };
      terminal.result(built, () =>
        terminal.facts([
          ['module', `${name}@${version}`],
          ['workflows', file.workflows.join(', ')],
          ['hash', hash],
          ['written', `${out} (${bytes.length} bytes)`],
        ]),
      );
    });
};
