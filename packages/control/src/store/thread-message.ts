/** What the main thread and a database thread say to each other. */
import type { ErrorRecord } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Command } from '../machine/command.ts';
import type { CommandOutcome } from './group-commit.ts';
import type { Answer, Query } from './query.ts';

/** How a database thread is started. */
export interface ThreadStart {
  readonly role: 'writer' | 'reader';
  readonly path: string;
}

/** Checks {@link ThreadStart}. */
export const threadStartSchema: z.ZodType<ThreadStart> = z.object({
  role: z.enum(['writer', 'reader']),
  path: z.string(),
});

/** To a thread. */
export type ThreadRequest =
  | { readonly type: 'command'; readonly id: number; readonly command: Command }
  | { readonly type: 'query'; readonly id: number; readonly query: Query }
  | { readonly type: 'close' };

/** What became of a query. */
export type QueryOutcome =
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly error: ErrorRecord };

/** From a thread. */
export type ThreadReport =
  | { readonly type: 'ready' }
  | { readonly type: 'refused'; readonly error: ErrorRecord }
  | { readonly type: 'applied'; readonly ids: readonly number[]; readonly outcomes: readonly CommandOutcome[] }
  | { readonly type: 'answered'; readonly id: number; readonly outcome: QueryOutcome };
