/** What a keeper is told to run: its one message. */
import { z } from 'zod';

/** How a program is run. */
export interface KeptOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Is written to its standard input, which then ends. @default nothing */
  readonly input?: string | undefined;
  /** @default the bench's */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Ends it in order. */
  readonly endSignal: 'SIGINT' | 'SIGTERM';
}

/** Reads {@link KeptOptions}. */
export const keptOptionsSchema: z.ZodType<KeptOptions> = z.object({
  program: z.string(),
  args: z.array(z.string()),
  cwd: z.string(),
  input: z.string().optional(),
  uid: z.number().optional(),
  gid: z.number().optional(),
  endSignal: z.enum(['SIGINT', 'SIGTERM']),
});
