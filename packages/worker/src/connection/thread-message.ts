/** What the thread of a worker's connection and the worker's own thread say to each other. */
import type { CallRequest, ErrorRecord } from '@mvm-ci/protocol';
import { z } from 'zod';

/** Which control plane, and how it is reached: by a ticket over the peer plane, or as an operator over HTTP. */
export type ConnectionStart =
  | { readonly type: 'ticket'; readonly ticket: string; readonly relay: string; readonly discovery: 'none' | 'default' }
  | { readonly type: 'url'; readonly url: string; readonly token: string | null; readonly name: string };

/** Checks {@link ConnectionStart}. */
export const connectionStartSchema: z.ZodType<ConnectionStart> = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ticket'),
    ticket: z.string(),
    relay: z.string(),
    discovery: z.enum(['none', 'default']),
  }),
  z.object({ type: z.literal('url'), url: z.string(), token: z.string().nullable(), name: z.string() }),
]);

/** To the connection's thread. */
export type ToConnection =
  | { readonly type: 'call'; readonly id: number; readonly request: CallRequest }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'close' };

/** From it. */
export type FromConnection =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: ErrorRecord }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly error: ErrorRecord };
