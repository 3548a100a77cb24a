/**
 * How often something happened lately, in slots of about a fiftieth of the rule's period. A slot counts until all of it is
 * out of the period, so that the rule holds in every period, whenever it begins; it costs at most about a fiftieth of the
 * rate. Slots are named by times, so that they mean the same under another rule.
 */
import type { RateRule } from '@mvm-ci/protocol';

/** Slots, oldest first, each with its start, Unix ms, and a count. */
export type RateLog = readonly (readonly [startMs: number, count: number])[];

/** Slots of a period. */
const slots = 50;

/** How many more may happen at `at`. */
export const rateRoom = (log: RateLog, rule: RateRule, at: number): number => {
  const counted = current(log, rule, at).reduce((sum, [, count]) => sum + count, 0);
  return Math.max(rule.count - counted, 0);
};

/** The log after `count` more at `at`. */
export const rateUsed = (
  log: RateLog,
  rule: RateRule,
  use: { readonly at: number; readonly count: number },
): RateLog => {
  const startMs = use.at - (use.at % slotMs(rule));
  const kept = current(log, rule, use.at);
  const last = kept.at(-1);
  // The clock may have gone back: what happens now is counted no earlier than what happened before.
  if (last !== undefined && last[0] >= startMs) return [...kept.slice(0, -1), [last[0], last[1] + use.count]];
  return [...kept, [startMs, use.count]];
};

/** When there is room again, Unix ms; `at` when there is now. */
export const rateOpensAt = (log: RateLog, rule: RateRule, at: number): number => {
  const [first] = current(log, rule, at);
  if (first === undefined || rateRoom(log, rule, at) > 0) return at;
  return outAt(first[0], rule);
};

/** Whether nothing in the log counts any more. */
export const isSpent = (log: RateLog, rule: RateRule, at: number): boolean => current(log, rule, at).length === 0;

const current = (log: RateLog, rule: RateRule, at: number): RateLog =>
  log.filter(([startMs]) => outAt(startMs, rule) > at);

/** When all of a slot is out of the period. */
const outAt = (startMs: number, rule: RateRule): number => startMs + slotMs(rule) + rule.per_ms;

const slotMs = (rule: RateRule): number => Math.ceil(rule.per_ms / slots);
