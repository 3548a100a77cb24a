/**
 * The folder that holds everything a control plane keeps:
 *
 *   control.db        the store
 *   blobs/            the bytes of blobs, in files by their hashes
 *   lock.db           held while a process uses the folder
 *   node.key          the secret key of its node id, hex
 *   join.token        the token in the ticket
 *   operator.token    the operator's bearer token, when one was generated
 *   peer-ports.json   the UDP ports of the last start, so that tickets stay good
 *   endpoint.ticket   the ticket
 *   short-lives       processes in a row that ended soon after their start without being asked to, of a process alone
 *
 * Secrets are for the owner alone (mode 600): what others could read is taken from them, with a warning.
 *
 * Owns the lock. It is a lock of the operating system on an SQLite file: it ends with the process, however that ends.
 */
import { keepPrivate, lockFolder, type FolderLock } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Random } from '../random.ts';
import { newToken } from '../trust/token-hash.ts';

/** The UDP ports of a peer endpoint, by address family. */
export interface PeerPorts {
  readonly ipv4?: number | undefined;
  readonly ipv6?: number | undefined;
}

const portSchema = z.number().int().min(1).max(65_535).optional();
const portsSchema: z.ZodType<PeerPorts> = z.object({ ipv4: portSchema, ipv6: portSchema });
const keyBytes = 32;

/** See the head of this file. */
export class DataFolder implements Disposable {
  readonly path: string;
  readonly #lock: FolderLock;
  readonly #warn: (text: string) => void;

  private constructor(path: string, lock: FolderLock, warn: (text: string) => void) {
    this.path = path;
    this.#lock = lock;
    this.#warn = warn;
  }

  /**
   * Takes a folder, which is made when it isn't there. `warn` hears of secrets that others could read.
   *
   * @throws CONFIG_INVALID when another process uses it, or it can't be made
   */
  static open(path: string, warn: (text: string) => void = () => undefined): DataFolder {
    const full = resolve(path);
    try {
      mkdirSync(full, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw mvmError('CONFIG_INVALID', `the data folder ${full} can't be made: ${String(error)}`, { path: full });
    }
    return new DataFolder(full, lock(full), warn);
  }

  get databasePath(): string {
    return join(this.path, 'control.db');
  }

  get blobsPath(): string {
    return join(this.path, 'blobs');
  }

  get ticketPath(): string {
    return join(this.path, 'endpoint.ticket');
  }

  /** The 32 bytes of the node's secret key; made at the first call. @throws CONFIG_INVALID when the file holds something else */
  nodeKey(random: Random): Uint8Array {
    const hex = this.#kept('node.key', () => random.bytes(keyBytes).toHex());
    if (/^[0-9a-f]{64}$/.test(hex)) return Uint8Array.fromHex(hex);
    throw mvmError('CONFIG_INVALID', `${join(this.path, 'node.key')} does not hold 64 hex digits`);
  }

  /** The join token of the ticket; made at the first call. */
  joinToken(random: Random): string {
    return this.#kept('join.token', () => newToken(random));
  }

  /** The operator's token; made at the first call. */
  operatorToken(random: Random): string {
    return this.#kept('operator.token', () => newToken(random));
  }

  /** The ports of the last start; none when they are not known. */
  get peerPorts(): PeerPorts {
    const text = this.#read('peer-ports.json');
    try {
      return text === undefined ? {} : portsSchema.parse(JSON.parse(text));
    } catch {
      // Damaged: the next ports replace it.
      return {};
    }
  }

  savePeerPorts(ports: PeerPorts): void {
    this.#write('peer-ports.json', JSON.stringify(ports));
  }

  writeTicket(ticket: string): void {
    this.#write('endpoint.ticket', ticket);
  }

  /** Processes in a row that ended soon and unasked; 0 when that is not known. */
  get shortLives(): number {
    const count = Number(this.#read('short-lives'));
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  }

  saveShortLives(count: number): void {
    this.#write('short-lives', String(count));
  }

  /** Lets go of the folder. Idempotent. */
  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }

  #kept(name: string, make: () => string): string {
    const known = this.#read(name)?.trim();
    if (known !== undefined && known !== '') {
      keepPrivate(join(this.path, name), this.#warn);
      return known;
    }
    const made = make();
    this.#write(name, made);
    return made;
  }

  #read(name: string): string | undefined {
    try {
      return readFileSync(join(this.path, name), 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  // A reader sees the old content or the new one, never half of it.
  #write(name: string, text: string): void {
    const temporary = join(this.path, `${name}.new`);
    writeFileSync(temporary, `${text}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, join(this.path, name));
  }
}

const lock = (folder: string): FolderLock => {
  const taken = lockFolder(folder);
  if (taken === undefined)
    throw mvmError('CONFIG_INVALID', `another process uses the data folder ${folder}`, { folder });
  return taken;
};
