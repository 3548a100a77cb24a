/** What the bench and a worker process tell each other. */
import { z } from 'zod';

/** From the bench: begin to take jobs, or stop it. */
export type Order =
  | { readonly order: 'start'; readonly system: string; readonly url: string }
  | { readonly order: 'stop' };

/** Reads an order. */
export const orderSchema: z.ZodType<Order> = z.discriminatedUnion('order', [
  z.object({ order: z.literal('start'), system: z.string(), url: z.string() }),
  z.object({ order: z.literal('stop') }),
]);

/** From the worker: an order is carried out, or these jobs began then (Unix ms). */
export type Notice =
  | { readonly notice: 'done' }
  | { readonly notice: 'ran'; readonly ids: readonly string[]; readonly startsMs: readonly number[] };

/** Reads a notice. */
export const noticeSchema: z.ZodType<Notice> = z.discriminatedUnion('notice', [
  z.object({ notice: z.literal('done') }),
  z.object({ notice: z.literal('ran'), ids: z.array(z.string()), startsMs: z.array(z.number()) }),
]);
