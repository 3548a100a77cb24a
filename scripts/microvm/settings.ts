/**
 * What a microVM is told when it starts: a small read-only disk that holds an archive. So the ticket is in no list of processes and
 * on no command line of a kernel, and it is the same for every kind of machine.
 *
 * deploy/microvm/root/etc/mvm-ci/boot unpacks it, work uses it.
 */
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, UserError } from './command.ts';

/** Of one machine. */
export interface Settings {
  readonly name: string;
  /** The ticket's text. */
  readonly ticket: string;
  readonly graceSeconds: number;
  /** `KEY=VALUE`, for the worker. */
  readonly environment: readonly string[];
  /** Further ones for the worker. */
  readonly workerArguments: readonly string[];
  /** A file of secrets that workflows may send. */
  readonly secrets: string | undefined;
}

const inside = '/run/mvm-ci';
const ownerOnly = 0o600;

const oneLine = (text: string): string => {
  if (/[\n\r\0]/.test(text)) throw new UserError(`a setting of a worker must be one line: ${JSON.stringify(text)}`);
  return text;
};

const environmentOf = ({ name, graceSeconds, environment, secrets }: Settings): readonly string[] => [
  'NODE_ENV=production',
  `CONTROL_PLANE_TICKET=${inside}/ticket`,
  `MVM_CI_NAME=${name}`,
  `MVM_CI_GRACE=${graceSeconds}`,
  ...(secrets === undefined ? [] : [`MVM_CI_SECRETS=${inside}/secrets`]),
  ...environment,
];

const lines = (all: readonly string[]): string => all.map((line) => `${oneLine(line)}\n`).join('');

/** Writes the disk of a machine. @param folder closed to others @returns its path */
export const makeSettingsDisk = (folder: string, settings: Settings): string => {
  const files = join(folder, `${settings.name}.settings.d`);
  mkdirSync(files, { mode: 0o700 });
  const write = (name: string, text: string): void => writeFileSync(join(files, name), text, { mode: ownerOnly });
  write('ticket', lines([settings.ticket.trim()]));
  write('name', lines([settings.name]));
  write('started', lines([String(Math.floor(Date.now() / 1_000))]));
  write('environment', lines(environmentOf(settings)));
  write('arguments', lines(settings.workerArguments));
  if (settings.secrets !== undefined) {
    copyFileSync(settings.secrets, join(files, 'secrets'));
    chmodSync(join(files, 'secrets'), ownerOnly);
  }
  const disk = join(folder, `${settings.name}.settings`);
  writeFileSync(disk, run('tar', ['-c', '--owner=0', '--group=0', '-C', files, '.']), { mode: ownerOnly });
  rmSync(files, { recursive: true });
  return disk;
};
