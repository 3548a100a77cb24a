import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mvmError } from '@mvm-ci/protocol';
import type { Command } from 'commander';
import { openContext, pathFrom, withClientOptions } from '../command-context.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci blob get|put` */
export const registerBlob = (registrar: Registrar): void => {
  const group = registrar.program
    .command('blob')
    .description('large bodies that jobs keep outside of their journals')
    .addHelpText('after', examples('blob put video.mp4', 'blob get HASH video.mp4'));
  registerGet(group, registrar);
  registerPut(group, registrar);
};

const registerGet = (group: Command, { host }: Registrar): void => {
  withClientOptions(
    group.command('get <hash> [file]').description('read a blob into a file (default: one named by the hash)'),
  ).action(async (hash: string, file: string | undefined, flags: object) => {
    const { terminal, client } = openContext(host, flags);
    const path = pathFrom(host, file ?? hash);
    await writeWhole(Readable.fromWeb(await client().blob(hash)), path);
    terminal.result({ hash, file: path }, () => `blob ${hash} is in ${path}`);
  });
};

/** A file that is there is whole. */
const writeWhole = async (source: Readable, path: string): Promise<void> => {
  const unfinished = `${path}.unfinished`;
  try {
    await pipeline(source, createWriteStream(unfinished));
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw unusable(path, error);
  }
};

const registerPut = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('put <file>').description('keep a file as a blob')).action(
    async (file: string, flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const path = pathFrom(host, file);
      const source = createReadStream(path);
      const failed = Promise.withResolvers<never>();
      source.once('error', (error) => failed.reject(unusable(path, error)));
      const body = ReadableStream.from<Uint8Array>(source);
      const blob = await Promise.race([client().putBlob(body), failed.promise]);
      terminal.result(blob, () =>
        terminal.facts([
          ['hash', blob.hash],
          ['bytes', String(blob.bytes)],
        ]),
      );
    },
  );
};

const unusable = (path: string, error: unknown): Error => {
  if (!(error instanceof Error) || !('syscall' in error))
    return error instanceof Error ? error : new Error(String(error));
  return mvmError('INVALID_ARGUMENT', `${path} can't be used: ${error.message}`, { path });
};
