/** Text for a log line: values as an author expects `console.log` to write them, the same on every machine. */
import { jsonText } from '../json-text.ts';

const depthMax = 4;
const itemsMax = 100;

/** `values` as one line: strings as they are, `%s %d %i %f %j %o %O %c %%` in the first one filled in. */
export const format = (values: readonly unknown[]): string => {
  const [first, ...rest] = values;
  if (typeof first !== 'string') return values.map(show).join(' ');
  let used = 0;
  const head = first.replace(/%[sdifjoOc%]/g, (directive) => {
    if (directive === '%%') return '%';
    if (used >= rest.length) return directive;
    used += 1;
    return fill(directive, rest[used - 1]);
  });
  return [head, ...rest.slice(used).map(show)].join(' ');
};

/** A value as text: a string as it is, everything else as {@link inspect} writes it. */
const show = (value: unknown): string => (typeof value === 'string' ? value : inspect(value));

const fill = (directive: string, value: unknown): string => {
  switch (directive) {
    case '%d':
      return typeof value === 'bigint' ? `${value}n` : String(Number(value));
    case '%i':
      return String(Number.parseInt(String(value), 10));
    case '%f':
      return String(Number.parseFloat(String(value)));
    case '%j':
      return jsonOf(value);
    case '%c':
      // The style of a browser's console.
      return '';
    default:
      return show(value);
  }
};

const jsonOf = (value: unknown): string => {
  try {
    return jsonText(value, 'it') ?? 'undefined';
  } catch {
    return inspect(value);
  }
};

/** A value in JavaScript's notation, to a depth of 4 and 100 items. Never throws. */
export const inspect = (value: unknown): string => {
  try {
    return inspectAt(value, []);
  } catch (error) {
    return `[${typeof value}: ${String(error)}]`;
  }
};

const inspectAt = (value: unknown, above: readonly object[]): string => {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `[Function: ${value.name || 'anonymous'}]`;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value);
  if (above.includes(value)) return '[Circular]';
  return inspectObject(value, [...above, value]);
};

const inspectObject = (value: object, above: readonly object[]): string => {
  if (value instanceof Error) return value.stack ? `${String(value)}\n${value.stack}`.trimEnd() : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Promise) return 'Promise {}';
  if (above.length > depthMax) return Array.isArray(value) ? '[Array]' : '[Object]';
  const inner = (part: unknown): string => inspectAt(part, above);
  if (Array.isArray(value)) return bracket('[', value.map(inner), ']');
  if (value instanceof Map) {
    return `Map ${bracket(
      '{ ',
      [...value].map(([key, part]) => `${inner(key)} => ${inner(part)}`),
      ' }',
    )}`;
  }
  if (value instanceof Set) return `Set ${bracket('{ ', [...value].map(inner), ' }')}`;
  if (value instanceof Uint8Array)
    return `Uint8Array(${value.length}) ${bracket('[', [...value.subarray(0, itemsMax + 1)].map(String), ']')}`;
  return inspectPlain(value, inner);
};

const inspectPlain = (value: object, inner: (part: unknown) => string): string => {
  const name = nameOf(value);
  if (name === 'URL' && 'href' in value) return `URL { href: ${inner(value.href)} }`;
  if (name === 'Headers' || name === 'URLSearchParams') return `${name} ${pairsOf(value, inner)}`;
  const parts = Object.entries(value).map(([key, part]) => `${keyText(key)}: ${inner(part)}`);
  return `${name === 'Object' || name === '' ? '' : `${name} `}${bracket('{ ', parts, ' }')}`;
};

/** What it calls itself, else what made it: the bundler renames a class that takes the place of a global. */
const nameOf = (value: object): string => {
  const tag: unknown = Reflect.get(value, Symbol.toStringTag);
  return typeof tag === 'string' ? tag : (value.constructor?.name ?? '');
};

const isIterable = (value: object): value is Iterable<unknown> => Symbol.iterator in value;

const pairsOf = (value: object, inner: (part: unknown) => string): string => {
  const pairs = isIterable(value) ? [...value] : [];
  const texts = pairs.map((pair) => (Array.isArray(pair) ? `${inner(pair[0])} => ${inner(pair[1])}` : inner(pair)));
  return bracket('{ ', texts, ' }');
};

const keyText = (key: string): string =>
  /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? key : JSON.stringify(key);

const bracket = (open: string, parts: readonly string[], close: string): string => {
  if (parts.length === 0) return `${open.trim()}${close.trim()}`;
  const shown = parts.slice(0, itemsMax);
  if (parts.length > itemsMax) shown.push(`… ${parts.length - itemsMax} more`);
  return `${open}${shown.join(', ')}${close}`;
};
