/** `structuredClone` (HTML standard, section 2.7) for what a workflow can hold; nothing is transferred. */

/**
 * A deep copy of `value`: JSON-like values, `Date`, `RegExp`, `Map`, `Set`, errors, buffers and their views, cycles.
 *
 * @throws {DOMException} `DataCloneError` for functions and symbols.
 */
export const structuredClone = (value: unknown): unknown => cloneAny(value, new Map());

const cloneAny = (value: unknown, seen: Map<object, object>): unknown => {
  if (typeof value === 'function' || typeof value === 'symbol') {
    throw new DOMException(`a ${typeof value} can't be cloned`, 'DataCloneError');
  }
  if (typeof value !== 'object' || value === null) return value;
  return seen.get(value) ?? cloneObject(value, seen);
};

const cloneObject = (value: object, seen: Map<object, object>): object => {
  const simple = cloneSimple(value, seen);
  if (simple) {
    seen.set(value, simple);
    return simple;
  }
  if (value instanceof Map) return cloneMap(value, seen);
  if (value instanceof Set) return cloneSet(value, seen);
  if (value instanceof Error) return cloneError(value, seen);
  const copy: object = Array.isArray(value) ? Array.from({ length: value.length }) : {};
  seen.set(value, copy);
  for (const [key, part] of Object.entries(value)) Reflect.set(copy, key, cloneAny(part, seen));
  return copy;
};

const cloneSimple = (value: object, seen: Map<object, object>): object | undefined => {
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (value instanceof DataView) return new DataView(bufferOf(value, seen), value.byteOffset, value.byteLength);
  const primitive: unknown = value.valueOf();
  if (typeof primitive !== 'object') return new Object(primitive);
  return isTypedArray(value) ? cloneTyped(value, seen) : undefined;
};

type TypedArray = ArrayBufferView & { readonly length: number };

const isTypedArray = (value: object): value is TypedArray => ArrayBuffer.isView(value) && !(value instanceof DataView);

const cloneTyped = (view: TypedArray, seen: Map<object, object>): object | undefined => {
  const made: unknown = Reflect.construct(view.constructor, [bufferOf(view, seen), view.byteOffset, view.length]);
  return typeof made === 'object' && made !== null ? made : undefined;
};

// Views of one buffer stay views of one buffer.
const bufferOf = ({ buffer }: ArrayBufferView, seen: Map<object, object>): ArrayBuffer => {
  const before = seen.get(buffer);
  const copy = before instanceof ArrayBuffer ? before : new Uint8Array(buffer).slice().buffer;
  seen.set(buffer, copy);
  return copy;
};

const cloneMap = (value: Map<unknown, unknown>, seen: Map<object, object>): object => {
  const copy = new Map<unknown, unknown>();
  seen.set(value, copy);
  for (const [key, part] of value) copy.set(cloneAny(key, seen), cloneAny(part, seen));
  return copy;
};

const cloneSet = (value: Set<unknown>, seen: Map<object, object>): object => {
  const copy = new Set<unknown>();
  seen.set(value, copy);
  for (const part of value) copy.add(cloneAny(part, seen));
  return copy;
};

const kinds = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError } as const;

const cloneError = (value: Error, seen: Map<object, object>): object => {
  const Kind = Object.entries(kinds).find(([name]) => name === value.name)?.[1] ?? Error;
  const copy = new Kind(value.message);
  seen.set(value, copy);
  if (value.stack !== undefined) copy.stack = value.stack;
  if ('cause' in value) {
    Object.defineProperty(copy, 'cause', { value: cloneAny(value.cause, seen), writable: true, configurable: true });
  }
  return copy;
};
