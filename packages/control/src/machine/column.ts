/** Reading SQLite's values with their types checked: a column of another type means a damaged database. */
import { mvmError } from '@mvm-ci/protocol';
import type { SQLOutputValue } from 'node:sqlite';

/** A row as `node:sqlite` gives it. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** The text in a column. @throws INTERNAL when it holds something else, as do the others here. */
export const text = (row: Row, name: string): string => {
  const value = row[name];
  return typeof value === 'string' ? value : wrongType(name, value);
};

/** The text in a column, or null. */
export const textOrNull = (row: Row, name: string): string | null => (row[name] === null ? null : text(row, name));

/** The number in a column. */
export const number = (row: Row, name: string): number => {
  const value = row[name];
  return typeof value === 'number' ? value : wrongType(name, value);
};

/** The number in a column, or null. */
export const numberOrNull = (row: Row, name: string): number | null => (row[name] === null ? null : number(row, name));

/** The bytes in a column. */
export const bytes = (row: Row, name: string): Uint8Array => {
  const value = row[name];
  return value instanceof Uint8Array ? value : wrongType(name, value);
};

/** The bytes in a column, or null. */
export const bytesOrNull = (row: Row, name: string): Uint8Array | null =>
  row[name] === null ? null : bytes(row, name);

const wrongType = (name: string, value: unknown): never => {
  throw mvmError(
    'INTERNAL',
    `the database is damaged: column "${name}" holds ${value === null ? 'null' : typeof value}`,
  );
};
