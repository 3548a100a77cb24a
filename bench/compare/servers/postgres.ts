/**
 * PostgreSQL with each commit synced before it is acknowledged: `fsync` and `synchronous_commit` are on. It refuses to run as
 * root: then it runs as the user `postgres`, or `nobody`, and its data belong to that user.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProgram } from '../kept-program.ts';
import { findProgram, freePort, startServer } from './server-process.ts';

const program = 'postgres';
const debianFolders = ['/usr/lib/postgresql/*/bin'];
const fallbackUsers = ['postgres', 'nobody'];
const superuser = 'bench';

/** The first of the programs that it needs and this machine has not. */
export const missingPostgresProgram = (): string | undefined =>
  [program, 'initdb'].find((name) => findProgram(name, debianFolders) === undefined);

/** A running PostgreSQL. */
export interface Postgres extends AsyncDisposable {
  readonly url: string;
}

interface User {
  readonly uid?: number;
  readonly gid?: number;
}

/** Starts it on loopback, its data in `folder`. */
export const startPostgres = async (folder: string): Promise<Postgres> => {
  const [port, password, user] = [await freePort(), randomBytes(16).toString('hex'), serverUser()];
  const home = await homeOf(folder, user);
  const data = join(home, 'data');
  await initialise({ home, data, password, user });
  const server = await startServer({
    program: pathOf(program),
    args: ['-D', data, ...settings(port).flatMap((setting) => ['-c', setting])],
    cwd: home,
    ...user,
    readyText: 'database system is ready to accept connections',
    endSignal: 'SIGINT',
  });
  return {
    url: `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

const settings = (port: number): readonly string[] => [
  `port=${port}`,
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'fsync=on',
  'synchronous_commit=on',
  'full_page_writes=on',
  'shared_buffers=512MB',
  // Else a checkpoint comes in the middle of a figure.
  'max_wal_size=4GB',
  'lc_messages=C',
];

const pathOf = (name: string): string => findProgram(name, debianFolders) ?? name;

/** Another user for a bench that root runs. */
const serverUser = (): User => {
  if (process.getuid?.() !== 0) return {};
  for (const name of fallbackUsers) {
    const [uid, gid] = ['-u', '-g'].map((flag) => idOf(flag, name));
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error(`root cannot run PostgreSQL, and there is no user ${fallbackUsers.join(' or ')}`);
};

const idOf = (flag: string, user: string): number | undefined => {
  try {
    return Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
};

/** A folder that the server's user owns; it may pass through the bench's own folder, and list nothing there. */
const homeOf = async (folder: string, { uid, gid }: User): Promise<string> => {
  const home = join(folder, 'postgres');
  await mkdir(home, { mode: 0o700 });
  if (uid === undefined || gid === undefined) return home;
  await Promise.all([folder, dirname(folder)].map((path) => chmod(path, 0o711)));
  await chown(home, uid, gid);
  return home;
};

const initialise = async (parts: {
  readonly home: string;
  readonly data: string;
  readonly password: string;
  readonly user: User;
}): Promise<void> => {
  const { home, data, password, user } = parts;
  const passwordFile = join(home, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user.uid !== undefined && user.gid !== undefined) await chown(passwordFile, user.uid, user.gid);
  const names = ['--username', superuser, '--auth', 'scram-sha-256', '--pwfile', passwordFile];
  const args = ['-D', data, ...names, '--encoding', 'UTF8', '--locale', 'C'];
  await runProgram({ program: pathOf('initdb'), args, cwd: home, ...user });
  await rm(passwordFile);
};
