/** A journal that is kept for ever, with its module, in one text file. */
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { moduleKinds, type JournalBatch, type ModuleFile } from '@mvm-ci/protocol';

/** What a golden journal is. */
export interface GoldenJournal {
  readonly job: string;
  readonly attempt: number;
  readonly workflow: string;
  readonly module: ModuleFile;
  readonly batches: readonly JournalBatch[];
}

const base64 = z.base64().transform((text) => Uint8Array.fromBase64(text));
const schema = z.object({
  job: z.string(),
  attempt: z.number(),
  workflow: z.string(),
  module: z.object({
    kind: z.enum(moduleKinds),
    runtime: z.string(),
    workflows: z.array(z.string()),
    code: z.union([
      z.array(z.string()).transform((lines) => new TextEncoder().encode(lines.join('\n'))),
      z.object({ brotli: base64 }).transform(({ brotli }) => new Uint8Array(brotliDecompressSync(brotli))),
      base64,
    ]),
  }),
  batches: z.array(z.object({ firstSeq: z.number(), count: z.number(), bytes: base64, hash: base64 })),
});

const linesBytesMax = 4_096;

const codeText = ({ kind, code }: ModuleFile): unknown => {
  if (kind !== 'javascript') return new Uint8Array(code).toBase64();
  if (code.length > linesBytesMax) return { brotli: new Uint8Array(brotliCompressSync(code)).toBase64() };
  return new TextDecoder().decode(code).split('\n');
};

/** Reads the text of a golden journal. */
export const readGolden = (text: string): GoldenJournal => {
  const { module, ...rest } = schema.parse(JSON.parse(text));
  return { ...rest, module: { ...module, sourceMap: new Uint8Array() } };
};

/** A golden journal as text: a short script as its lines, a bundle compressed, all other bytes in base64. */
export const goldenText = ({ module, batches, ...rest }: GoldenJournal): string => {
  const { kind, runtime, workflows } = module;
  const stored = batches.map(({ firstSeq, count, bytes, hash }) => ({
    firstSeq,
    count,
    bytes: new Uint8Array(bytes).toBase64(),
    hash: new Uint8Array(hash).toBase64(),
  }));
  return `${JSON.stringify({ ...rest, module: { kind, runtime, workflows, code: codeText(module) }, batches: stored }, null, 1)}\n`;
};
