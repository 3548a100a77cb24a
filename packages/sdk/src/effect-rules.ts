/**
 * The rules of what stays inside the system, checked at the call, where a workflow can catch what it did wrong: the host checks them
 * again when the step is over, and ends the attempt. It owns no numbers but in `limits.ts`.
 */
import { EffectError } from './effect-error.ts';
import type { Effect, Note } from './intent.ts';
import { jsonText } from './json-text.ts';
import { limits } from './limits.ts';
import { inspect } from './prelude/inspect.ts';
import { encodeUtf8 } from './prelude/text-codec.ts';

/**
 * Checks what an effect or a note is given.
 *
 * @param text - its JSON text.
 * @throws {TypeError} for a value of another kind than the call takes.
 * @throws {EffectError} `LIMIT_EXCEEDED` for one that is too long.
 */
export const checkEffect = (effect: Effect | Note, text: string): void => {
  switch (effect.type) {
    case 'start':
      if (effect.job !== null) checkName("a job's id", effect.job);
      checkText('a workflow', effect.workflow, 3 * limits.nameCharsMax);
      checkWhole('the attempts of a job', effect.attemptsMax, { from: 1, to: limits.attemptsMax });
      checkKind('detached', effect.detached, 'boolean');
      return checkValue('an input', effect.input, text);
    case 'join':
      return checkName("a job's id", effect.job);
    case 'send':
      checkName("a job's id", effect.job);
      checkName('the type of a message', effect.messageType);
      return checkValue('the data of a message', effect.data, text);
    case 'receive':
      checkMost('types of a receive', effect.types?.length ?? 0, limits.receiveTypesMax);
      for (const type of effect.types ?? []) checkName('the type of a message', type);
      return;
    case 'respond':
      return checkValue('a response', effect.value, text);
    case 'version':
      return checkName("a change's name", effect.change);
    default:
  }
};

/** A whole number within bounds. @throws {TypeError} when `value` is none */
export const checkWhole = (
  what: string,
  value: unknown,
  { from, to }: { readonly from: number; readonly to: number },
): void => {
  if (Number.isInteger(value) && Number(value) >= from && Number(value) <= to) return;
  throw wrong(`${what}: a whole number from ${from} to ${to}`, value);
};

/** A text that names something. @throws as {@link checkEffect} */
export const checkName = (what: string, name: unknown): void => checkText(what, name, limits.nameCharsMax);

/** So much at most. @throws {EffectError} `LIMIT_EXCEEDED` */
const checkMost = (what: string, received: number, limit: number): void => {
  if (received > limit)
    throw new EffectError({ code: 'LIMIT_EXCEEDED', message: `at most ${limit} ${what}: received ${received}` });
};

/** That a rule was broken, with what was received. */
export const wrong = (rule: string, received: unknown): TypeError =>
  new TypeError(`${rule}: received ${inspect(received).slice(0, limits.shownCharsMax)}`);

const checkKind = (what: string, value: unknown, kind: 'boolean' | 'string'): void => {
  if (typeof value !== kind) throw wrong(`${what}: a ${kind}`, value);
};

const checkText = (what: string, text: unknown, charsMax: number): void => {
  if (typeof text !== 'string' || text === '') throw wrong(`${what}: a string of at least one character`, text);
  checkMost(`characters in ${what}`, text.length, charsMax);
};

/** `text` has the value in it: only where that is long is the value looked at by itself. */
const checkValue = (what: string, value: unknown, text: string): void => {
  if (text.length * bytesPerUnitMax <= limits.valueBytesMax) return;
  checkMost(`bytes in ${what}, as JSON`, encodeUtf8(jsonText(value, what) ?? '').length, limits.valueBytesMax);
};

/** Of UTF-8 for a unit of UTF-16. */
const bytesPerUnitMax = 3;
