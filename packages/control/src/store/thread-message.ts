/** What the main thread and a database thread say to each other. */
import type { ErrorRecord } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Answer, Query } from './query.ts';
import type { GroupFacts } from './store.ts';
import type { SentCommand, SentEffects, SentReply } from './thread-form.ts';

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

/** A command, and the number by which its outcome is told. */
export interface CommandRequest {
  readonly id: number;
  readonly command: SentCommand;
}

/** A command's outcome. */
export type SentOutcome =
  | { readonly ok: true; readonly reply: SentReply; readonly effects: SentEffects }
  | { readonly ok: false; readonly error: ErrorRecord };

/** To a thread. */
export type ThreadRequest =
  | { readonly type: 'commands'; readonly requests: readonly CommandRequest[] }
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
  | {
      readonly type: 'applied';
      readonly ids: readonly number[];
      readonly outcomes: readonly SentOutcome[];
      readonly facts: GroupFacts;
    }
  | { readonly type: 'answered'; readonly id: number; readonly outcome: QueryOutcome };
