/** A secret's value as the text around its placeholder needs it. */
import type { FetchIntent } from '@mvm-ci/protocol';

/** In a URL. */
export const percentOf = (value: string): string => encodeURIComponent(value.toWellFormed());

/** In a form (application/x-www-form-urlencoded). */
export const formOf = (value: string): string => new URLSearchParams([['', value]]).toString().slice(1);

/** Within the quotes of a JSON string. */
export const jsonOf = (value: string): string => JSON.stringify(value).slice(1, -1);

/** In the body of a request: as its `Content-Type` says. */
export const bodyFormOf = ({ headers }: FetchIntent): ((value: string) => string) => {
  const [, said = ''] = headers.find(([name]) => name.toLowerCase() === 'content-type') ?? [];
  const type = said.split(';', 1).join('').trim().toLowerCase();
  if (type === 'application/x-www-form-urlencoded') return formOf;
  return type === 'application/json' || type.endsWith('+json') ? jsonOf : (value) => value;
};
