/** `fetch` that is sent again: retries and probes, made of ordinary calls and durable sleeps, all under one key. */
import type { AnswerEvent } from '../activation.ts';
import { call } from '../call.ts';
import { EffectError } from '../effect-error.ts';
import type { FetchEffect } from '../intent.ts';
import { machine } from '../machine.ts';
import type { Probe, Retry } from './fetch-extras.ts';
import type { Request } from './request.ts';
import { Response } from './response.ts';

/** How a request is repeated. */
export interface Repetition {
  readonly retry: Retry | undefined;
  readonly probe: Probe | undefined;
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** Statuses that say "later" (RFC 9110, RFC 6585 section 4, RFC 8470 section 5.2). */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Those that say that nothing was done. */
const refusedStatuses: ReadonlySet<number> = new Set([429, 503]);
const unknownOutcomes: ReadonlySet<string> = new Set(['OUTCOME_UNKNOWN', 'CONNECTION_LOST', 'DEADLINE_EXCEEDED']);
const dayMs = 86_400_000;
const probesMax = 100;

/**
 * Sends `request`, and again as `repetition` says. All tries have the same `Idempotency-Key`.
 *
 * @throws {EffectError} that of the last try.
 */
export const repeatedFetch = async (request: Request, { retry, probe }: Repetition): Promise<Response> => {
  const plan = planOf(retry);
  const effect = keyed(request.toEffect());
  const isSafe = effect.idempotent ?? safeMethods.has(effect.method);
  for (let tries = 1; ; tries += 1) {
    const outcome = await attempt(effect, request);
    const again = outcome instanceof Response ? wantsMore(outcome, { retry, isSafe }) : isSafe && isTransient(outcome);
    if (again && tries < plan.attempts) {
      await pause(waitMs(plan, tries, outcome), request);
      continue;
    }
    if (outcome instanceof Response) return outcome;
    if (isSafe || !probe || !unknownOutcomes.has(outcome.code) || tries >= probesMax) throw outcome;
    const found = await probed(effect, { probe, request });
    if (found) return found;
  }
};

/** The response, or the host's error. */
const attempt = async (effect: FetchEffect, { signal }: Request): Promise<Response | EffectError> => {
  try {
    return responseOf(await call(effect, signal));
  } catch (error) {
    if (error instanceof EffectError) return error;
    throw error;
  }
};

const responseOf = ({ fetched }: AnswerEvent): Response => {
  if (!fetched) throw new TypeError('the host answered a fetch with something else');
  return Response.fetched(fetched);
};

/** By what the host would have called the first try, so that the receiver sees one request. */
const keyed = (effect: FetchEffect): FetchEffect => {
  const { job } = machine;
  if (effect.key !== null || !job) return effect;
  return { ...effect, key: `${job.id}:${job.attempt}:${machine.nextCall}` };
};

const isTransient = ({ code }: EffectError): boolean => code === 'CONNECTION_LOST' || code === 'DEADLINE_EXCEEDED';

const wantsMore = (
  response: Response,
  { retry, isSafe }: { readonly retry: Retry | undefined; readonly isSafe: boolean },
): boolean => {
  if (!retry) return false;
  if (retry.on) return retry.on(response);
  return (isSafe ? laterStatuses : refusedStatuses).has(response.status);
};

interface Plan {
  readonly attempts: number;
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

const planOf = ({ attempts = 3, initialMs = 1_000, factor = 2, maxMs = 60_000 }: Retry = { attempts: 1 }): Plan => {
  if (!(attempts >= 1) || !(initialMs >= 0) || !(factor >= 1) || !(maxMs >= 0))
    throw new TypeError('retry takes attempts and factor of at least 1, initialMs and maxMs of at least 0');
  return { attempts, initialMs, factor, maxMs };
};

const waitMs = ({ initialMs, factor, maxMs }: Plan, tries: number, outcome: Response | EffectError): number => {
  const backoff = Math.min(initialMs * factor ** (tries - 1), maxMs) * (0.5 + Math.random() / 2);
  return Math.ceil(Math.max(backoff, outcome instanceof Response ? retryAfterMs(outcome) : 0));
};

/** RFC 9110 section 10.2.3: seconds, or a date. At most a day is waited for. */
const retryAfterMs = ({ headers }: Response): number => {
  const text = headers.get('retry-after')?.trim() ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, dayMs) : 0;
};

const pause = async (ms: number, { signal }: Request): Promise<void> => {
  await call({ type: 'sleep', ms }, signal);
};

/**
 * Asks whether the request took effect. Whoever sent it has lost the job by now, or has given it up; so nothing of it is under way any more
 * when as much time has passed as the request may take.
 */
const probed = async (
  { timeoutMs }: FetchEffect,
  { probe, request }: { readonly probe: Probe; readonly request: Request },
): Promise<Response | undefined> => {
  await pause(timeoutMs, request);
  const found: unknown = await probe();
  if (found === undefined || found === null || found === false) return undefined;
  return found instanceof Response ? found : Response.json(found === true ? null : found);
};
