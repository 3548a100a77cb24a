/**
 * The shapes of canonical arrays, checked by hand: a resumed job's whole journal goes through here, and a schema library takes
 * ten times as long. A shape is the list of checks of an array's fields; the array has exactly as many. Of several shapes, an
 * array must have one.
 */

/** Whether a value may stand in a field. */
export type Field = (value: unknown) => boolean;
/** The fields of an array, in order. */
export type Shape = readonly Field[];

export const isText: Field = (value) => typeof value === 'string';
export const isFlag: Field = (value) => typeof value === 'boolean';
export const isBytes: Field = (value) => value instanceof Uint8Array;
export const isWhole: Field = (value) => Number.isSafeInteger(value);
/** A whole number from 0. */
export const isCount: Field = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
/** A whole number from 1. */
export const isOrdinal: Field = (value) => Number.isSafeInteger(value) && Number(value) >= 1;
export const isList: Field = (value) => Array.isArray(value);

/** A number between two bounds, both included. */
export const isBetween =
  (from: number, to: number): Field =>
  (value) =>
    typeof value === 'number' && value >= from && value <= to;

/** One of these values. */
export const isOneOf = (...values: readonly unknown[]): Field => {
  const known = new Set(values);
  return (value) => known.has(value);
};

/** Null, or what `field` takes. */
export const orNull =
  (field: Field): Field =>
  (value) =>
    value === null || field(value);

/** A list of what `field` takes. */
export const listOf =
  (field: Field): Field =>
  (value) =>
    Array.isArray(value) && value.every(field);

/** A header's name and value. */
export const isHeader: Field = (value) => hasShape(value, header);

/** Whether `value` is an array with exactly these fields. */
export const hasShape = (value: unknown, shape: Shape): boolean =>
  Array.isArray(value) && value.length === shape.length && shape.every((field, index) => field(value[index]));

/** The number that an array begins with, which says what it is; -1 when there is none. */
export const kindOf = (value: unknown): number => {
  const kind: unknown = Array.isArray(value) ? value[0] : undefined;
  return typeof kind === 'number' ? kind : -1;
};

/** Whether `value` is an array that begins with the number of one of these shapes, and has that shape. */
export const hasShapeOfKind = (value: unknown, shapes: readonly Shape[]): boolean => {
  const shape = shapes[kindOf(value)];
  return shape !== undefined && hasShape(value, shape);
};

const header: Shape = [isText, isText];
