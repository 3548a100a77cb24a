import { readFileSync, statSync } from 'node:fs';
import type { EffectPerformer, Secrets } from '@mvm-ci/engine';
import { networkFetch, withSecrets } from '@mvm-ci/engine';
import { mvmError, secretNamePattern, type BlobPort } from '@mvm-ci/protocol';
import { z } from 'zod';
import { pathFrom, type CommandContext } from '../command-context.ts';

const fileSchema: z.ZodType<Secrets> = z.record(
  z.string().regex(secretNamePattern, 'a secret has a name of 1 to 64 letters, digits, "_" and "-"'),
  z.strictObject({ value: z.string().min(1), hosts: z.array(z.string().min(1)).min(1) }),
);

/** Others of the machine. */
const othersMask = 0o077;

/**
 * Performs the requests of workflows, with the secrets that the operator gives by `--secrets`, and the blobs
 * that are given; without any, requests that need blobs are refused.
 *
 * @throws CONFIG_INVALID when the file can't be read, may be read by others, or is no such file
 */
export const performerOf = (
  { host, config }: Pick<CommandContext, 'host' | 'config'>,
  blobs: BlobPort | undefined,
): EffectPerformer =>
  withSecrets(networkFetch(blobs), config.secrets === undefined ? {} : readSecrets(pathFrom(host, config.secrets)));

const readSecrets = (path: string): Secrets => {
  const read = fileSchema.safeParse(readJson(path));
  if (read.success) return read.data;
  const rule = 'a file of secrets is JSON: { "NAME": { "value": "…", "hosts": ["api.example.com"] } }';
  throw mvmError('CONFIG_INVALID', `${path}: ${rule}: ${z.prettifyError(read.error)}`, { path });
};

const readJson = (path: string): unknown => {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & othersMask) !== 0 && process.platform !== 'win32')
      throw new Error(`others may read it (mode ${mode.toString(8)}): chmod 600 ${path}`);
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // A syntax error shows a part of the file.
    const reason =
      error instanceof SyntaxError ? 'it is not JSON' : String(error instanceof Error ? error.message : error);
    throw mvmError('CONFIG_INVALID', `the secrets can't be read: ${reason}`, { path });
  }
};
