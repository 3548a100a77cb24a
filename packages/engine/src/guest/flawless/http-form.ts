/** Requests and responses between the JSON of the `flawless` crate and the engine's effects. */
import type { Answer, FetchIntent } from '@mvm-ci/protocol';
import type { FlawlessDuration, FlawlessRequest } from './command.ts';

const timeoutMsDefault = 120_000;
const bodyLimitDefault = 10_000_000;
const errorStatus = 400;

/** A `Duration` in whole ms, never too short. */
export const durationMs = ({ secs, nanos }: FlawlessDuration): number => secs * 1_000 + Math.ceil(nanos / 1_000_000);

/** The effect that the request asks for. A request that isn't marked idempotent is sent once, whatever its method. */
export const fetchOf = ({ config, method, url, headers, body }: FlawlessRequest): Omit<FetchIntent, 'call'> => ({
  type: 'fetch',
  method,
  url,
  headers,
  body: bytesOf(body),
  redirect: 'follow',
  timeoutMs: config?.timeout ? Math.max(1, durationMs(config.timeout)) : timeoutMsDefault,
  idempotent: config?.idempotent === true,
  key: null,
});

const bytesOf = (body: FlawlessRequest['body']): Uint8Array | null => {
  if (body === undefined || body === null) return null;
  const bytes = new Uint8Array(Buffer.from(typeof body === 'string' ? Buffer.from(body, 'base64') : body));
  return bytes.length > 0 ? bytes : null;
};

/**
 * The `Output` of the crate for the request's answer. A status from 400 on is an error that has the response. A body is written in
 * the form in which the request had its own.
 */
export const httpOutput = (answer: Answer, request: FlawlessRequest): unknown => {
  if (answer.type === 'error') return { HTTPResponse: { Err: transportError(answer, request.url) } };
  if (answer.type !== 'fetched')
    return { HTTPResponse: { Err: transportError({ code: 'INTERNAL', message: '' }, request.url) } };
  const { status, url, headers, body } = answer.response;
  const cut = body.subarray(0, request.config?.response_body_limit ?? bodyLimitDefault);
  const isList = Array.isArray(request.body);
  const response = {
    status_code: status,
    url,
    headers,
    body: isList ? [...cut] : Buffer.from(cut).toString('base64'),
  };
  return { HTTPResponse: status < errorStatus ? { Ok: response } : { Err: { Status: [status, response] } } };
};

/** Our codes → the crate's `HttpErrorKind`. */
const kinds: Readonly<Record<string, string>> = {
  OUTCOME_UNKNOWN: 'RequestInterrupted',
  INVALID_ARGUMENT: 'InvalidUrl',
  CONNECTION_LOST: 'ConnectionFailed',
};

const transportError = (
  { code, message }: { readonly code: string; readonly message: string },
  url: string,
): unknown => ({
  Transport: {
    kind: kinds[code] ?? 'Io',
    message: code === 'DEADLINE_EXCEEDED' ? `timed out: ${message}` : `${code}: ${message}`,
    url,
  },
});
