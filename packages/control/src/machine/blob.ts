/** `keep-blob` and `drop-blobs`: which blobs there are, and for which jobs. Their files are the caller's. */
import { mvmError } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Application } from './application.ts';
import type { DropBlobsCommand, KeepBlobCommand } from './command.ts';
import type { ReplyTo } from './reply.ts';
import { isHeld } from './transition.ts';

/**
 * Keeps a blob, and has the job refer to it. Idempotent: what an earlier holder of the same worker sends changes nothing that
 * anybody could see.
 *
 * @throws STALE_LEASE unless the worker holds the job, BLOB_NOT_FOUND, LIMIT_EXCEEDED when a job refers to too many
 */
export const keepBlob = (app: Application, command: KeepBlobCommand): ReplyTo<'keep-blob'> => {
  const { blobs } = app.tables;
  const { hash, job, at } = command;
  if (job !== null) demandHeld(app, job, command.worker);
  const bytes = command.bytes ?? blobs.bytes(hash);
  if (bytes === undefined) throw blobNotFound(hash);
  if (command.bytes !== null) blobs.keep(hash, bytes, at);
  if (job !== null) demandFew(job, blobs.refer(app.tables.jobs.get(job).number, hash));
  return { type: 'keep-blob', bytes };
};

/** Forgets blobs that nobody refers to. */
export const dropBlobs = (app: Application, { before, limit }: DropBlobsCommand): ReplyTo<'drop-blobs'> => ({
  type: 'drop-blobs',
  hashes: app.tables.blobs.dropLoose(before, limit),
});

/** The refusal of a blob that is not kept. */
export const blobNotFound = (hash: string): Error =>
  mvmError('BLOB_NOT_FOUND', `no blob has the hash ${hash}: it was never kept, or no job refers to it any more`, {
    hash,
  });

const demandHeld = (app: Application, id: string, worker: string | null): void => {
  const job = app.tables.jobs.get(id);
  if (isHeld(job) && !job.bare && (worker === null || job.worker === worker)) return;
  throw mvmError('STALE_LEASE', `a blob is for a job that its sender holds, and job "${id}" is ${job.state}`, {
    job_id: id,
    state: job.state,
  });
};

const demandFew = (job: string, references: number): void => {
  const rule = controlLimits.blobsPerJobMax;
  if (references <= rule) return;
  throw mvmError('LIMIT_EXCEEDED', `a job refers to at most ${rule} blobs, and job "${job}" would to ${references}`, {
    job_id: job,
    rule,
  });
};
