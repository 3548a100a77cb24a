import type { AnswerEvent } from '../activation.ts';
import { call } from '../call.ts';
import { isPlainHttpUrl } from '../url/plain-url.ts';
import { repeatedFetch } from './repeated-fetch.ts';
import { plainEffect, Request, type RequestOptions } from './request.ts';
import { Response } from './response.ts';

/**
 * `fetch` (Fetch standard) as a durable effect: the journal keeps its answer, so a replay gets it without asking again.
 *
 * @throws {TypeError} when the request isn't valid.
 * @throws {EffectError} `CONNECTION_LOST`, `DEADLINE_EXCEEDED`, `LIMIT_EXCEEDED` or `OUTCOME_UNKNOWN` when there is no
 *   answer. A status such as 404 is an answer.
 * @throws the reason of `options.signal` when that aborts first.
 */
export const fetch = async (source: unknown, options?: RequestOptions): Promise<Response> => {
  // Nearly every request is one of these, and making a `Request` of it takes the interpreter longer than all the rest.
  if (options === undefined && typeof source === 'string' && isPlainHttpUrl(source))
    return responseOf(await call(plainEffect(source)));
  const { retry, probe } = options ?? {};
  const request = new Request(source, options);
  if (retry || probe) return repeatedFetch(request, { retry, probe });
  return responseOf(await call(request.toEffect(), request.signal));
};

const responseOf = (answer: AnswerEvent): Response => {
  if (!answer.fetched) throw new TypeError('the host answered a fetch with something else');
  return Response.fetched(answer.fetched);
};
