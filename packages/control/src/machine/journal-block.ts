/**
 * A block: neighbouring batches of a journal that won't grow any more, packed and compressed into one row. What was hashed stays as it was:
 * the batches come out with the bytes that they had, so their chain is checked as before (`docs/reference/journal.md`, "Compaction").
 */
import { chainHash, mvmError, pack, unpack, type JournalBatch } from '@mvm-ci/protocol';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { controlLimits } from '../limits.ts';

const format = 1;
const schema = z.tuple([
  z.literal(format),
  z.array(z.tuple([z.number().int().positive(), z.instanceof(Uint8Array)])).min(1),
]);

/** The bytes of a block. */
export const packBlock = (batches: readonly Pick<JournalBatch, 'count' | 'bytes'>[]): Uint8Array =>
  new Uint8Array(zstdCompressSync(pack([format, batches.map(({ count, bytes }) => [count, bytes])])));

/** A block as it is stored: `hash` is that of its last batch, `count` the entries of all of them. */
export type StoredBlock = JournalBatch;

/**
 * The batches in a block. Only the last one's hash is stored; those of the others are made from the chain, so any damage shows in the last.
 *
 * @param previous the hash before the block
 * @throws {MvmError} `JOURNAL_CORRUPT` when it can't be unpacked
 */
export const unpackBlock = (block: StoredBlock, previous: Uint8Array): readonly JournalBatch[] => {
  const batches: JournalBatch[] = [];
  let [firstSeq, before] = [block.firstSeq, previous];
  const parts = unpacked(block);
  for (const [index, [count, bytes]] of parts.entries()) {
    const body = { firstSeq, count, bytes };
    before = index === parts.length - 1 ? block.hash : chainHash(before, body);
    batches.push({ ...body, hash: before });
    firstSeq += count;
  }
  if (firstSeq === block.firstSeq + block.count) return batches;
  throw damaged(block, `it holds ${firstSeq - block.firstSeq} entries and says ${block.count}`);
};

const unpacked = (block: StoredBlock): z.infer<typeof schema>[1] => {
  try {
    const bytes = zstdDecompressSync(block.bytes, { maxOutputLength: controlLimits.blockUnpackedBytesMax });
    return schema.parse(unpack(new Uint8Array(bytes)))[1];
  } catch (error) {
    throw damaged(block, error instanceof Error ? error.message : String(error));
  }
};

const damaged = ({ firstSeq }: StoredBlock, why: string): Error =>
  mvmError('JOURNAL_CORRUPT', `the journal block at entry ${firstSeq} is damaged: ${why}`, { firstSeq });
