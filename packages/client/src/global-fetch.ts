import type { Fetch } from './connection.ts';

/** Requests from browsers. */
export const defaultFetch: Fetch = (url, init) => fetch(url, init);
