/**
 * Requests to the control plane that serves this page.
 *
 * 1. Answers are not checked against the schemas: they come from the control plane that the dashboard was built with, and the
 *    checks would be most of the program's size.
 */
import type { JobView } from '@mvm-ci/protocol';
import { session } from './session.ts';

/** What the control plane refused, in its own words. */
class ApiError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
  }
}

/** What can be said of a request. */
interface RequestOptions {
  /** JSON; with one it is a POST. */
  readonly body?: unknown;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Sends a request. @throws {ApiError} when it is refused, or nobody answers */
export const send = async (
  path: string,
  { body, accept = 'application/json', signal }: RequestOptions = {},
): Promise<Response> => {
  const response = await reach(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { accept, ...session.headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
    cache: 'no-store',
  });
  if (response.ok) return response;
  const error = await refusalOf(response);
  if (error.code === 'UNAUTHENTICATED') session.refuse(error.message);
  throw error;
};

const reach = async (path: string, init: RequestInit): Promise<Response> => {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError('UNREACHABLE', 'The control plane does not answer.');
  }
};

const refusalOf = async (response: Response): Promise<ApiError> => {
  const text = await response.text();
  try {
    const { error }: { readonly error: { readonly code: string; readonly message: string } } = parse(text);
    return new ApiError(error.code, error.message);
  } catch {
    return new ApiError(`HTTP_${response.status}`, text === '' ? response.statusText : text.slice(0, 1_000));
  }
};

// oxlint-disable-next-line typescript/no-unsafe-return, typescript/no-unnecessary-type-parameters -- see 1 in the head
const parse = <T>(text: string): T => JSON.parse(text);

/** The JSON of an answer, taken for what the route answers. */
export const get = async <T>(path: string, signal?: AbortSignal): Promise<T> =>
  parse(await (await send(path, { signal })).text());

/** A page of a list, and where the next one begins; undefined: it is the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

/** A page of a list. */
export const getPage = async <T>(path: string, signal?: AbortSignal): Promise<Page<T>> => {
  const response = await send(path, { signal });
  const items: readonly T[] = parse(await response.text());
  return { items, next: response.headers.get('x-next') ?? undefined };
};

/** Has something done. */
export const post = async <T>(path: string, body: unknown = {}): Promise<T> =>
  parse(await (await send(path, { body })).text());

/** The job that a server-sent event tells of. */
export const eventJob = (data: string): JobView => parse(data);

/** What went wrong, for people. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
