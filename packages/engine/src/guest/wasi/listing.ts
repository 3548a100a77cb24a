/** The entries of a directory as `fd_readdir` writes them. */
import type { DirectoryEntry, DirectoryNode } from './file-node.ts';

const types = { directory: 3, file: 4 } as const;
const headerBytes = 24;

/**
 * Writes the entries from `cookie` on into `target`; returns how many bytes. When that is all of `target`, the last entry
 * may be cut, and the guest asks again with more room or from that entry on.
 */
export const writeListing = (directory: DirectoryNode, target: Uint8Array, cookie: bigint): number => {
  let used = 0;
  for (const entry of entriesOf(directory)) {
    if (BigInt(entry.cookie) < cookie) continue;
    const record = encode(entry);
    const part = record.subarray(0, target.length - used);
    target.set(part, used);
    used += part.length;
    if (used === target.length) break;
  }
  return used;
};

const entriesOf = (directory: DirectoryNode): readonly DirectoryEntry[] => [
  { name: '.', cookie: 0, node: directory },
  { name: '..', cookie: 1, node: directory.parent },
  ...directory.entries.values(),
];

const encode = ({ name, cookie, node }: DirectoryEntry): Uint8Array => {
  const length = Buffer.byteLength(name);
  const record = Buffer.alloc(headerBytes + length);
  record.writeBigUInt64LE(BigInt(cookie + 1), 0);
  record.writeBigUInt64LE(BigInt(node.inode), 8);
  record.writeUInt32LE(length, 16);
  record.writeUInt8(types[node.type], 20);
  record.write(name, headerBytes);
  return record;
};
