import { call } from '../call.ts';
import { repeatedFetch } from './repeated-fetch.ts';
import { Request, type RequestOptions } from './request.ts';
import { Response } from './response.ts';

/**
 * `fetch` (Fetch standard) as a durable effect: the journal keeps its answer, so a replay gets it without asking again.
 *
 * @throws {TypeError} when the request isn't valid.
 * @throws {EffectError} `CONNECTION_LOST`, `DEADLINE_EXCEEDED`, `LIMIT_EXCEEDED` or `OUTCOME_UNKNOWN` when there is no
 *   answer. A status such as 404 is an answer.
 * @throws the reason of `options.signal` when that aborts first.
 */
export const fetch = async (source: unknown, options: RequestOptions = {}): Promise<Response> => {
  const { retry, probe } = options;
  const request = new Request(source, options);
  if (retry || probe) return repeatedFetch(request, { retry, probe });
  const answer = await call(request.toEffect(), request.signal);
  if (!answer.fetched) throw new TypeError('the host answered a fetch with something else');
  return Response.fetched(answer.fetched);
};
