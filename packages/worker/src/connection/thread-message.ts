/** What the thread of a worker's connection and the worker's own thread say to each other. */
import type { ErrorRecord } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane.ts';

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

/** What a worker of handlers asks of its control plane. */
export type ConnectionMethod = Extract<
  keyof ControlPlane,
  'join' | 'leave' | 'claim' | 'heartbeat' | 'append' | 'finish' | 'inbox' | 'journal'
>;

/** What is asked, and with what: both ends are of one process, and neither checks the other. */
export type ConnectionCall = {
  readonly [Method in ConnectionMethod]: {
    readonly method: Method;
    readonly request: Parameters<ControlPlane[Method]>[0];
  };
}[ConnectionMethod];

/** What the control plane answered to a call of a method. */
export type ConnectionAnswer = {
  readonly [Method in ConnectionMethod]: {
    readonly method: Method;
    readonly value: Awaited<ReturnType<ControlPlane[Method]>>;
  };
}[ConnectionMethod];

/** The answer to a call of the method `Method`. */
export type AnswerOf<Method extends ConnectionMethod> = Extract<ConnectionAnswer, { readonly method: Method }>;

/** To the connection's thread. */
export type ToConnection =
  | { readonly type: 'call'; readonly id: number; readonly call: ConnectionCall }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'close' };

/** From it. */
export type FromConnection =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: ErrorRecord }
  | { readonly type: 'answer'; readonly id: number; readonly answer: ConnectionAnswer }
  | { readonly type: 'refusal'; readonly id: number; readonly error: ErrorRecord };
