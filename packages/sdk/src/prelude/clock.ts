/**
 * `Date` and `performance` on the activation's time, in UTC. A second layer: the engine binds the runtime's own clock
 * to the activation too, but a guest must not depend on it.
 */

/** Unix time in ms. */
export type Now = () => number;

const pairs = ['FullYear', 'Month', 'Date', 'Hours', 'Minutes', 'Seconds', 'Milliseconds'] as const;
const isoWithoutZone = /^[+-]?\d{4,6}-\d\d-\d\dT[\d:.]+$/;
const isoDateOnly = /^[+-]?\d{4,6}(-\d\d){0,2}$/;
const endsInZone = /(Z|GMT|UTC|UT|[A-Z][SD]T|[+-]\d\d:?\d\d)\s*(\(.*\))?$/i;

/** `text` with the zone that it doesn't name: a script's local time is UTC. */
const inUtc = (text: string): string => {
  const trimmed = text.trim();
  if (isoWithoutZone.test(trimmed)) return `${trimmed}Z`;
  return isoDateOnly.test(trimmed) || endsInZone.test(trimmed) ? text : `${trimmed} UTC`;
};

/**
 * Replaces `Date` on `scope`: what takes the current time takes `now()`, what means local time means UTC. The
 * prototype stays the runtime's own, so that its dates and ours are of one kind, and leads to the new constructor only.
 */
export const installDate = (scope: typeof globalThis, now: Now): void => {
  const Native = scope.Date;
  const make = (parts: readonly unknown[]): Date => {
    if (parts.length === 0) return new Native(now());
    if (parts.length > 1) return new Native(Number(Reflect.apply(Native.UTC, Native, parts)));
    const [only] = parts;
    if (only instanceof Native) return new Native(only.getTime());
    const primitive = typeof only === 'object' && only !== null ? toPrimitive(only) : only;
    return typeof primitive === 'string' ? new Native(parse(primitive)) : new Native(Number(primitive));
  };
  const parse = (text: string): number => Native.parse(inUtc(text));
  // An ordinary function: `Date()` without `new` is allowed, and gives text.
  function GuestDate(...parts: readonly unknown[]): unknown {
    if (!new.target) return make([]).toString();
    const made: unknown = Reflect.construct(Native, [make(parts).getTime()], new.target);
    return made;
  }
  bindToUtc(Native.prototype);
  Object.defineProperty(GuestDate, 'name', { value: 'Date', configurable: true });
  Object.defineProperty(GuestDate, 'length', { value: 7, configurable: true });
  Object.defineProperty(GuestDate, 'prototype', { value: Native.prototype, writable: false });
  define(GuestDate, { now: () => now(), parse: (text: unknown) => parse(String(text)), UTC: Native.UTC });
  define(Native.prototype, { constructor: GuestDate });
  define(scope, { Date: GuestDate });
};

// An object counts by its valueOf where that is a number, as those of date libraries.
const toPrimitive = (value: unknown): unknown => (Number.isNaN(Number(value)) ? String(value) : Number(value));

const bindToUtc = (prototype: Date): void => {
  for (const part of pairs) {
    alias(prototype, `get${part}`, `getUTC${part}`);
    alias(prototype, `set${part}`, `setUTC${part}`);
  }
  alias(prototype, 'getDay', 'getUTCDay');
  // "Thu, 01 Jan 1970 00:00:00 GMT" → the forms of ECMA-262 section 21.4.4, and of an American locale.
  const words = (date: Date): readonly string[] => date.toUTCString().replace(',', '').split(' ');
  const dateText = (date: Date): string => {
    const [day, number, month, year] = words(date);
    return `${day} ${month} ${number} ${year}`;
  };
  const timeText = (date: Date): string => `${words(date)[4]} GMT+0000 (UTC)`;
  const valid = (date: Date, text: (valid: Date) => string): string =>
    Number.isNaN(date.getTime()) ? 'Invalid Date' : text(date);
  define(prototype, {
    getTimezoneOffset(this: Date) {
      return Number.isNaN(this.getTime()) ? Number.NaN : 0;
    },
    getYear(this: Date) {
      return this.getUTCFullYear() - 1900;
    },
    toString(this: Date) {
      return valid(this, (date) => `${dateText(date)} ${timeText(date)}`);
    },
    toDateString(this: Date) {
      return valid(this, dateText);
    },
    toTimeString(this: Date) {
      return valid(this, timeText);
    },
    toLocaleString(this: Date) {
      return valid(this, (date) => date.toISOString().replace('T', ' ').slice(0, 19));
    },
    toLocaleDateString(this: Date) {
      return valid(this, (date) => date.toISOString().slice(0, 10));
    },
    toLocaleTimeString(this: Date) {
      return valid(this, (date) => date.toISOString().slice(11, 19));
    },
  });
};

const alias = (prototype: Date, name: string, source: string): void => {
  const method: unknown = Reflect.get(prototype, source);
  define(prototype, { [name]: method });
};

const define = (target: object, members: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, { value, writable: true, enumerable: false, configurable: true });
  }
};

/** `performance`: the activation's time, counted from the attempt's start. */
export const makePerformance = (now: Now, origin: Now): { readonly timeOrigin: number; now(): number } => ({
  get timeOrigin() {
    return origin();
  },
  now: () => now() - origin(),
});
