/** Whether a replayed step asked for what is recorded (I6): equality of the canonical form that the journal keeps. */
import { bytesEqual, encodeIntents, type InsideIntent, type Intent } from '@mvm-ci/protocol';
import { differInPlacesOnly } from './log-places.ts';

/** Whether two lists of intents have the same canonical bytes, but for places in logs. */
export const sameIntents = (recorded: readonly Intent[], asked: readonly Intent[]): boolean => {
  if (recorded.length !== asked.length) return false;
  const [before, now] = [encodeIntents(recorded), encodeIntents(asked)];
  return (
    sameParts(before, now) ||
    now.every((part, index) => samePart(before[index], part) || samePlace(index, { recorded, asked }))
  );
};

const samePlace = (
  index: number,
  { recorded, asked }: { readonly recorded: readonly Intent[]; readonly asked: readonly Intent[] },
): boolean => {
  const [before, now] = [recorded[index], asked[index]];
  return before !== undefined && now !== undefined && differInPlacesOnly(before, now);
};

const sameParts = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((part, index) => samePart(part, b[index]));

const samePart = (a: unknown, b: unknown): boolean => {
  if (Array.isArray(a)) return Array.isArray(b) && sameParts(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && bytesEqual(a, b);
  return a === b;
};

/** The first intent that differs, for people: what was recorded and what was asked, `nothing` when one list is shorter. */
export const firstDifference = (
  recorded: readonly Intent[],
  asked: readonly Intent[],
): { readonly recorded: string; readonly asked: string } => {
  const index = recorded.findIndex((intent, at) => !sameIntents([intent], asked.slice(at, at + 1)));
  const at = index === -1 ? recorded.length : index;
  return { recorded: describeIntent(recorded[at]), asked: describeIntent(asked[at]) };
};

/** An intent in a few words. */
const describeIntent = (intent: Intent | undefined): string => {
  if (!intent) return 'nothing';
  switch (intent.type) {
    case 'fetch':
      return `fetch #${intent.call} ${intent.method} ${intent.url}${describeRest(intent)}`;
    case 'sleep':
      return `sleep #${intent.call} of ${intent.ms} ms`;
    case 'abandon':
      return `abandon #${intent.call}`;
    case 'log':
      return `log ${intent.level} ${JSON.stringify(intent.text)}`;
    case 'progress':
      return `progress ${intent.percent} ${JSON.stringify(intent.text)}`;
    case 'complete':
      return `complete ${intent.result}`;
    case 'fail':
      return `fail ${intent.code} ${intent.name}: ${intent.message} ${intent.stack}`;
    default:
      return describeInside(intent);
  }
};

/** The intents that stay inside the system. */
const describeInside = (intent: InsideIntent): string => {
  switch (intent.type) {
    case 'receive':
      return `receive #${intent.call} ${intent.types === null ? 'of any type' : JSON.stringify(intent.types)}`;
    case 'start':
      return `start #${intent.call} ${intent.workflow} ${JSON.stringify(intent)}`;
    case 'join':
      return `join #${intent.call} ${intent.job}`;
    case 'send':
      return `send #${intent.call} ${intent.messageType} to ${intent.job} ${intent.data}`;
    case 'respond':
      return `respond ${intent.value}`;
    case 'group':
      return `group ${intent.action} ${intent.id} ${JSON.stringify(intent.name)}`;
    case 'version':
      return `version ${JSON.stringify(intent.change)}`;
  }
};

const describeRest = (intent: Intent & { type: 'fetch' }): string => {
  const { headers, body, redirect, timeoutMs, idempotent, key, into, bodyBlob } = intent;
  const text = body === null ? null : `${body.length} bytes ${new TextDecoder().decode(body.subarray(0, 60))}`;
  return ` ${JSON.stringify({ headers, body: text, redirect, timeoutMs, idempotent, key, into, bodyBlob })}`;
};
