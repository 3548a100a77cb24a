/** The commands of the public `flawless` crate: enum values as serde writes them to JSON (externally tagged). */
import { z } from 'zod';
import { GuestFault } from '../guest.ts';

/** A `std::time::Duration`. */
export interface FlawlessDuration {
  readonly secs: number;
  readonly nanos: number;
}

/** An HTTP request of the crate. */
export interface FlawlessRequest {
  readonly config?:
    | {
        readonly idempotent?: boolean | undefined;
        readonly timeout?: FlawlessDuration | undefined;
        readonly response_body_limit?: number | undefined;
      }
    | undefined;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Base64 text in the newest versions of the crate, a list of numbers in older ones. */
  readonly body?: string | readonly number[] | null | undefined;
}

/** A log line by its level; serde writes one of them. */
export type FlawlessLog = Readonly<Partial<Record<'Error' | 'Warn' | 'Info' | 'Debug' | 'Trace', string | undefined>>>;

/** A command and what it carries. */
export type FlawlessCommand =
  | { readonly name: 'GetInput' | 'TimeNow' }
  | { readonly name: 'Log'; readonly value: FlawlessLog }
  | { readonly name: 'SendResponse' | 'GetSecret' | 'ReplayDebug'; readonly value: string }
  /** Any value of the type that is wanted, tagged by it. */
  | { readonly name: 'Random'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly name: 'Sleep'; readonly value: FlawlessDuration }
  | { readonly name: 'HTTPRequest'; readonly value: FlawlessRequest }
  /** Longest wait, and types of messages. */
  | { readonly name: 'RecvMessage'; readonly value: readonly [FlawlessDuration | null, readonly string[]] }
  /** Name of the workflow, and its input as JSON text. */
  | { readonly name: 'StartWorkflow'; readonly value: readonly [name: string, input: string] };

const count = z.number().int().nonnegative();
// As it is in the journal, which a replay compares with.
const text = z.string().transform((value) => value.toWellFormed());
const duration: z.ZodType<FlawlessDuration> = z.object({ secs: count, nanos: count.max(999_999_999) });
const request: z.ZodType<FlawlessRequest> = z.object({
  config: z
    .object({ idempotent: z.boolean().optional(), timeout: duration.optional(), response_body_limit: count.optional() })
    .optional(),
  method: text,
  url: text,
  headers: z.array(z.tuple([text, text])),
  body: z.union([text, z.array(count.max(255)), z.null()]).optional(),
});
const log: z.ZodType<FlawlessLog> = z.strictObject({
  Error: text.optional(),
  Warn: text.optional(),
  Info: text.optional(),
  Debug: text.optional(),
  Trace: text.optional(),
});
const random = z.record(text, z.unknown());
const receive = z.tuple([duration.nullable(), z.array(text)]);
const start = z.tuple([text, text]);
const shownChars = 200;

/** @throws {GuestFault} `GUEST_PROTOCOL` showing the command when it is none that is known */
export const parseCommand = (json: string): FlawlessCommand => {
  const command = commandOf(tryParse(json));
  if (command) return command;
  throw new GuestFault({
    code: 'GUEST_PROTOCOL',
    message: `not a command of the flawless crate that this engine knows: ${json.slice(0, shownChars)}`,
  });
};

const commandOf = (parsed: unknown): FlawlessCommand | undefined => {
  if (parsed === 'GetInput' || parsed === 'TimeNow') return { name: parsed };
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const [tag, ...more] = Object.entries(parsed);
  return tag && more.length === 0 ? taggedCommand(tag[0], tag[1]) : undefined;
};

const taggedCommand = (name: string, value: unknown): FlawlessCommand | undefined => {
  switch (name) {
    case 'Log':
      return carrying(name, log, value);
    case 'SendResponse':
    case 'GetSecret':
    case 'ReplayDebug':
      return carrying(name, text, value);
    case 'Random':
      return carrying(name, random, value);
    case 'Sleep':
      return carrying(name, duration, value);
    case 'HTTPRequest':
      return carrying(name, request, value);
    case 'RecvMessage':
      return carrying(name, receive, value);
    case 'StartWorkflow':
      return carrying(name, start, value);
    default:
      return undefined;
  }
};

const carrying = <Name extends string, T>(
  name: Name,
  schema: z.ZodType<T>,
  value: unknown,
): { readonly name: Name; readonly value: T } | undefined => {
  const parsed = schema.safeParse(value);
  return parsed.success ? { name, value: parsed.data } : undefined;
};

const tryParse = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
};
