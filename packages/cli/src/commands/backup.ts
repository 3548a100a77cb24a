import {
  backupData,
  examineData,
  restoreData,
  type BackupFacts,
  type DataExamination,
  type Finding,
} from '@mvm-ci/control';
import { openContext, pathFrom, withJson } from '../command-context.ts';
import { defaultDataFolder } from '../config/setting.ts';
import { exitCodes } from '../output/failure.ts';
import type { Column } from '../output/terminal.ts';
import { examples, type Registrar } from './registrar.ts';

const backupHelp = `
The control plane may run meanwhile: the backup is its database at one moment, and the blobs that it names, in the folder
<file>.blobs beside it (--no-blobs: none). It also holds the node's key and the tokens,
unless --no-secrets is given: with them a restored control plane is the same one to its workers. Keep the file private.
${examples('backup /backups/mvm-ci-2026-11-26.db', 'backup ./before-upgrade.db --data /var/lib/mvm-ci')}`;

/** `mvm-ci backup FILE` */
export const registerBackup = ({ program, host }: Registrar): void => {
  withJson(program.command('backup <file>').description('copy all that a control plane keeps into one file'))
    .option('--data <folder>', `its data folder (MVM_CI_DATA; default ${defaultDataFolder})`)
    .option('--force', 'replace a file of that name')
    .option('--no-secrets', 'leave the keys and tokens out')
    .option('--no-blobs', 'leave the blobs out')
    .addHelpText('after', backupHelp)
    .action((file: string, flags: BackupFlags) => {
      const { config, terminal } = openContext(host, { ...flags, secrets: undefined });
      const data = pathFrom(host, config.data ?? defaultDataFolder);
      const { force, secrets, blobs } = flags;
      const made = backupData({ data, file: pathFrom(host, file), force, secrets, blobs });
      terminal.result(made, () => `${made.path}: ${made.jobs} jobs, ${mebibytes(made.bytes)}${blobsText(made)}`);
    });
};

interface BackupFlags {
  readonly force?: boolean;
  readonly secrets: boolean;
  readonly blobs: boolean;
}

/** Nothing of blobs where there are none. */
const blobsText = ({ blobs }: BackupFacts): string => {
  if (blobs === null) return ', without blobs';
  const { count, bytes, missing } = blobs;
  const lost = missing.length > 0 ? `; ${missing.length} blobs are not there: ${missing.join(' ')}` : '';
  return count > 0 ? `, ${count} blobs with ${mebibytes(bytes)}${lost}` : lost;
};

const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;

/** `mvm-ci restore FILE` */
export const registerRestore = ({ program, host }: Registrar): void => {
  withJson(program.command('restore <file>').description('make a data folder of a backup'))
    .requiredOption('--data <folder>', 'an empty folder, or one that is not there')
    .addHelpText('after', examples('restore /backups/mvm-ci-2026-11-26.db --data ./restored'))
    .action((file: string, flags: { readonly data: string }) => {
      const { terminal } = openContext(host, flags);
      const restored = restoreData({ file: pathFrom(host, file), data: pathFrom(host, flags.data) });
      terminal.result(restored, () => `${restored.path}: ${restored.jobs} jobs${blobsText(restored)}`);
      terminal.note(`start it: npx mvm-ci control-plane --data ${flags.data}`);
    });
};

const doctorHelp = `
Examines the database and the blobs of a control plane that runs or not, or a backup: whether SQLite finds it whole, whether
its tables agree, and whether inputs, results, journals, snapshots and blobs are what was stored. It changes nothing. The exit code is 1 when it finds something.
${examples('doctor', 'doctor --data /var/lib/mvm-ci --json', 'doctor ./before-upgrade.db')}`;

/** `mvm-ci doctor [FILE]` */
export const registerDoctor = ({ program, host, exit }: Registrar): void => {
  withJson(program.command('doctor [file]').description('examine a data folder, or a backup'))
    .option('--data <folder>', `the data folder (MVM_CI_DATA; default ${defaultDataFolder})`)
    .addHelpText('after', doctorHelp)
    .action(async (file: string | undefined, flags: object) => {
      const { config, terminal } = openContext(host, flags);
      const path = pathFrom(host, file ?? config.data ?? defaultDataFolder);
      const found = await examineData(path, (done) => {
        if (done % progressJobs === 0) terminal.note(`${done} jobs so far`);
      });
      terminal.result(found, () => examinationText(found, terminal.table(found.findings, columns, 'nothing is wrong')));
      if (found.findings.length > 0) exit(exitCodes.failed);
    });
};

const progressJobs = 50_000;

const columns: readonly Column<Finding>[] = [
  { head: 'JOB', cell: ({ job }) => job ?? '' },
  { head: 'FINDING', cell: ({ text }) => text },
];

const examinationText = ({ jobs, journals, entries, blobs, blobOrphans }: DataExamination, findings: string): string =>
  `${jobs} jobs, ${journals} journals with ${entries} entries, ${blobs} blobs${orphansText(blobOrphans)}\n${findings}`;

const orphansText = (count: number): string =>
  count === 0
    ? ''
    : `\n${count} files of blobs that no job knows, left by a crash: the next start of the control plane removes them`;
