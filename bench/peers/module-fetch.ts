/** A module of some size, from the control plane to a worker over iroh. */
import { randomBytes } from 'node:crypto';
import type { Client } from '@mvm-ci/client';
import { decodeModule, encodeModule } from '@mvm-ci/protocol';
import { buildCoreModule } from '../guest/modules.ts';
import { timed } from '../lanes.ts';
import type { PeerCaller } from '../queue/peer-caller.ts';
import type { Figure } from '../report.ts';

/** Deploys a module that can't be compressed, and fetches it. */
export const measureModule = async (client: Client, peer: PeerCaller, bytes: number): Promise<Figure> => {
  const small = decodeModule((await buildCoreModule()).file);
  const file = encodeModule({ ...small, code: Buffer.concat([small.code, ballast(bytes)]) });
  const { hash } = await client.deploy({ name: 'bench-ballast', version: '1.0.0', file });
  let received = 0;
  const value = await timed(async () => {
    received = (await peer.module(hash)).length;
  });
  if (received !== file.length) throw new Error(`a module of ${file.length} bytes came with ${received}`);
  const what = `a module of ${(bytes / 1_048_576).toFixed(1)} MiB that no compression shortens, to one worker over iroh`;
  return { name: 'module_10mb_s', value, what };
};

/** A custom section of random bytes (WebAssembly core specification, section 5.5.3), with an empty name. */
const ballast = (bytes: number): Uint8Array =>
  Buffer.concat([[0], leb(bytes + 1), [0], randomBytes(bytes)].map(toBuffer));

const toBuffer = (part: Uint8Array | readonly number[]): Buffer => Buffer.from(part);

/** An unsigned integer in LEB128. */
const leb = (value: number): readonly number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...leb(Math.floor(value / 128))];
