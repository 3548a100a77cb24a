import type { BlobPort } from '@mvm-ci/protocol';
import type { BlobStore } from './blob-store.ts';

/** The blobs of this control plane for an engine in the same process: for whichever job is held, by whomever. */
export const localBlobs = (blobs: BlobStore): BlobPort => ({
  put: (job, source) => blobs.put({ job, worker: null }, source),
  open: async (job, hash) => {
    const bytes = await blobs.refer({ job, worker: null }, hash);
    await blobs.bytes(hash);
    return { source: blobs.read(hash, 0, bytes) };
  },
});
