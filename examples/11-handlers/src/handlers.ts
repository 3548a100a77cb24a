/**
 * A worker of handlers: `node src/handlers.ts URL TOKEN`, or with a ticket in `CONTROL_PLANE_TICKET`. What each handler has
 * done goes to the receiver that its job names, so that it can be counted.
 */
import { NonRetryableError, RetryAfterError, worker, type HandlerContext, type HandlerJob } from '@mvm-ci/worker';

interface Order {
  readonly receiver: string;
  /** How long each step takes, in ms. */
  readonly pauseMs?: number;
}

const ask = async (receiver: string, what: string, signal: AbortSignal): Promise<number> => {
  const response = await fetch(`${receiver}/${what}`, { method: 'POST', signal });
  return response.status;
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

/** Three steps, each done once, whatever dies in between. */
const ship = async ({ id, input }: HandlerJob<Order>, ctx: HandlerContext): Promise<string> => {
  for (const [index, step] of ['pick', 'pack', 'post'].entries()) {
    await ctx.run(step, (signal) => ask(input.receiver, `${step}/${id}`, signal));
    ctx.progress(((index + 1) / 3) * 100, step);
    await pause(input.pauseMs ?? 0);
  }
  return 'shipped';
};

/** Computes, and lets nothing else run in this thread meanwhile. */
const grind = ({ input }: HandlerJob<{ readonly ms: number }>): string => {
  const end = performance.now() + input.ms;
  while (performance.now() < end);
  return 'ground';
};

/** Fails twice, after something that must not happen again. */
const stubborn = async ({ id, input, attempt }: HandlerJob<Order>, ctx: HandlerContext): Promise<number> => {
  await ctx.run('charge', (signal) => ask(input.receiver, `charge/${id}`, signal));
  if (attempt === 1) throw new RetryAfterError(1, 'not yet');
  if (attempt === 2) throw new Error('not yet either');
  return attempt;
};

const hopeless = (): never => {
  throw new NonRetryableError('there is no such address');
};

/** Waits for its end. */
const patient = async (_: HandlerJob, { signal }: HandlerContext): Promise<void> => {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  signal.throwIfAborted();
};

const nap = async ({ input }: HandlerJob<{ readonly ms: number }>, ctx: HandlerContext): Promise<string> => {
  await ctx.sleep('nap', input.ms);
  return 'rested';
};

const [, , url, token] = process.argv;
const ticket = process.env['CONTROL_PLANE_TICKET'];
const running = await worker({
  ...(ticket === undefined ? { url, token } : { ticket }),
  handlers: { ship, grind, stubborn, hopeless, patient, nap },
});
process.stdout.write(`${JSON.stringify({ ready: 'handlers', node: running.node })}\n`);
process.once('SIGTERM', () => void running.drain({ graceMs: 5_000 }));
const end = await running.closed;
process.exitCode = end.type === 'drained' ? 0 : 1;
