/** A secret's value as the text around its placeholder needs it. */
import type { FetchIntent } from '@mvm-ci/protocol';
import { latin1 } from './byte-text.ts';

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

const basicPattern = /^\s*basic +([A-Za-z0-9+/]+=*)\s*$/i;

/** Name and password that a header has encoded, as a text of one character for each byte (RFC 7617); undefined for any other header. */
export const credentialsOf = (header: string): string | undefined => {
  const encoded = basicPattern.exec(header)?.[1];
  return encoded === undefined ? undefined : latin1(Buffer.from(encoded, 'base64'));
};

/** The header for what {@link credentialsOf} returns. */
export const basicOf = (credentials: string): string =>
  `Basic ${Buffer.from(credentials, 'latin1').toString('base64')}`;

/** What base64 makes of a value, wherever it begins in what is encoded: the characters that nothing beside the value has a part in. */
export const base64Of = (value: string): readonly string[] => {
  const bytes = Buffer.from(value);
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
};
