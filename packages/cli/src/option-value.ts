import { readFileSync, statSync } from 'node:fs';
import { idSchema, limits, mvmError } from '@mvm-ci/protocol';
import { InvalidArgumentError } from 'commander';
import { ArgumentError } from './argument-error.ts';
import { pathFrom } from './command-context.ts';
import type { Host } from './host.ts';

/** Reads an option as a whole number from `min` to `max`; anything else is a usage error. */
export const wholeNumber =
  (min: number, max: number): ((text: string) => number) =>
  (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`it must be a whole number ${range}, received "${text}".`);
  };

/** Reads an option as a number above 0 and at most `max`; anything else is a usage error. */
export const positiveNumber =
  (max: number): ((text: string) => number) =>
  (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && value <= max) return value;
    throw new InvalidArgumentError(`it must be a number above 0 and at most ${max}, received "${text}".`);
  };

/** Reads an option as a job id; anything else is a usage error. */
export const jobId = (text: string): string => {
  if (idSchema.safeParse(text).success) return text;
  const rule = `letters, digits and . _ : - only, at most ${limits.idCharsMax}, starting with a letter or digit`;
  throw new InvalidArgumentError(`it must be ${rule}, received "${text}".`);
};

/** Reads an option as a short text that is not empty; anything else is a usage error. */
export const shortText = (text: string): string => {
  if (text !== '' && text.length <= limits.idCharsMax) return text;
  throw new InvalidArgumentError(`it must have from 1 to ${limits.idCharsMax} characters, received ${text.length}.`);
};

/** Reads an option as tags, comma-separated; anything else is a usage error. */
export const tagList = (text: string): readonly string[] => {
  const tags = text.split(',').map((tag) => tag.trim());
  const wrong = tags.find((tag) => !idSchema.safeParse(tag).success);
  if (wrong === undefined && tags.length <= limits.tagsMax) return tags;
  const rule = `at most ${limits.tagsMax} of letters, digits and . _ : -, starting with a letter or digit, comma-separated`;
  throw new InvalidArgumentError(`it must be ${rule}, received "${wrong ?? `${tags.length} of them`}".`);
};

/** Where a job's input comes from. */
export interface InputFlags {
  /** JSON text. */
  readonly input?: string;
  /** A file with JSON text; `-` is the standard input. */
  readonly inputFile?: string;
}

/** The input that the flags name; null when they name none. @throws INVALID_ARGUMENT, INVALID_JSON, PAYLOAD_TOO_LARGE */
export const readInput = async (host: Host, { input, inputFile }: InputFlags): Promise<unknown> => {
  if (input !== undefined && inputFile !== undefined)
    throw new ArgumentError('INVALID_ARGUMENT', 'give --input or --input-file, not both');
  if (input !== undefined) return parsed(input, '--input');
  if (inputFile === undefined) return null;
  return parsed(await textOf(host, inputFile), inputFile === '-' ? 'the standard input' : inputFile);
};

/** Reads an argument as JSON. @throws INVALID_JSON */
export const jsonValue = (source: string, text: string): unknown => parsed(text, source);

const textOf = async (host: Host, file: string): Promise<string> => {
  if (file === '-') return host.readStdin();
  const path = pathFrom(host, file);
  try {
    const { size } = statSync(path);
    if (size > limits.inputBytesMax) throw tooLarge(size, file);
    // A byte order mark, which some editors write, is left out; what is no UTF-8 is refused instead of being replaced.
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) throw new ArgumentError('INVALID_JSON', `${file} is not JSON: it is not UTF-8`);
    if (error instanceof Error && 'syscall' in error)
      throw new ArgumentError('INVALID_ARGUMENT', `--input-file ${file} can't be read: ${error.message}`);
    throw error;
  }
};

const parsed = (text: string, source: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError('INVALID_JSON', `${source} is not JSON: ${reason}`, { received: text.slice(0, 100) });
  }
};

const tooLarge = (bytes: number, file: string): Error =>
  mvmError('PAYLOAD_TOO_LARGE', `an input has at most ${limits.inputBytesMax} bytes, ${file} has ${bytes}`, {
    limit: limits.inputBytesMax,
    received: bytes,
  });
