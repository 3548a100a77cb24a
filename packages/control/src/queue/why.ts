/**
 * Why a job is where it is, in sentences and as data: computed from what the store, the leases and the workers' last
 * claims say at this moment. Pure: what it needs is in its parameters.
 */
import {
  handlerOf,
  isFinal,
  limitsOfKey,
  optionsOf,
  type Intent,
  type JournalEntry,
  type KeyLimits,
  type Reason,
  type ReasonCode,
  type WhyView,
} from '@mvm-ci/protocol';
import type { JobClass } from '../machine/lane-table.ts';
import { canServe } from '../machine/pick.ts';
import { laneName } from '../machine/publish.ts';
import { rateOpensAt, rateRoom } from '../machine/rate-log.ts';
import { suspectStrikes } from '../machine/suspect.ts';
import { isHeld, neverMs } from '../machine/transition.ts';
import type { LimitUse, WhyFacts } from '../store/why-facts.ts';
import type { AbleWorker } from './worker-abilities.ts';

/** What is known beside the store. */
export interface WhyContext {
  /** Unix ms. */
  readonly at: number;
  /** When the lease of a held job runs out, Unix ms, and when its holder was last heard of (null: it says nothing in between); null: nobody holds it. */
  readonly lease: { readonly until: number; readonly heardAt: number | null } | null;
  readonly workers: readonly AbleWorker[];
  /** Whether a worker waits for jobs at this moment. */
  readonly isWaiting: (worker: string) => boolean;
  /** The journal of a job that waits; null: it is too long to be read for this. */
  readonly entries: readonly JournalEntry[] | null;
}

/** The chain of reasons. */
export const whyView = (facts: WhyFacts, context: WhyContext): WhyView => ({
  job_id: facts.row.id,
  status: facts.row.state,
  reasons: [...chain(facts, context), ...deadlineReason(facts)],
});

const chain = (facts: WhyFacts, context: WhyContext): readonly Reason[] => {
  const { row } = facts;
  if (isFinal(row.state)) return [over(facts)];
  if (isHeld(row)) return held(facts, context);
  if (row.runAt > context.at) return row.state === 'waiting' ? waits(facts, context) : scheduled(facts);
  return [...stoppers(facts, context), ...workerReasons(facts, context)];
};

const reason = (code: ReasonCode, text: string, details: Reason['details'] = {}): Reason => ({ code, text, details });

const over = ({ row }: WhyFacts): Reason => {
  const what = row.errorCode === null ? '' : `: ${row.errorCode}: ${row.errorMessage ?? ''}`;
  return reason('over', `it is ${row.state} since ${timeText(row.updatedAt)}${what}`, {
    at: row.updatedAt,
    error: row.errorCode,
  });
};

const held = ({ row }: WhyFacts, { lease, at }: WhyContext): readonly Reason[] => {
  const heardAt = lease?.heardAt ?? null;
  const heard = heardAt === null ? '' : `, and it was last heard of ${Math.round(at - heardAt)} ms ago`;
  const until = lease === null ? '' : `; its lease ends at ${timeText(lease.until)}${heard}`;
  const holder = reason(
    'held',
    `worker ${shortName(row.worker ?? '')} has held it since ${timeText(row.claimedAt)}${until}`,
    {
      worker: row.worker,
      since: row.claimedAt,
      lease_until: lease?.until ?? null,
      heard_at: heardAt,
    },
  );
  if (row.cancelReason === null) return [holder];
  const grace = row.cancelAt === null ? 'however long that takes' : `until ${timeText(row.cancelAt)}`;
  const text = `its cancellation was asked for (${row.cancelReason}): the worker has been told to end it, ${grace}`;
  return [holder, reason('cancelling', text, { reason: row.cancelReason, until: row.cancelAt })];
};

const waits = (facts: WhyFacts, { entries }: WhyContext): readonly Reason[] => {
  const { row, children } = facts;
  const sleep =
    row.runAt < neverMs ? [reason('sleeping', `it sleeps until ${timeText(row.runAt)}`, { until: row.runAt })] : [];
  const receives = entries === null ? null : outstanding(entries).filter((intent) => intent.type === 'receive');
  const types = receives?.flatMap((intent) => intent.types ?? ['any']) ?? [];
  const isUnsaid = sleep.length === 0 && children.length === 0;
  const message =
    receives === null || receives.length > 0 || isUnsaid
      ? [
          reason(
            'waits-for-message',
            `it waits for a message${types.length === 0 ? '' : ` of type ${types.join(' or ')}`}`,
            { types },
          ),
        ]
      : [];
  const child = children.map((one) =>
    reason('waits-for-child', `job ${one.job_id}, which it started, is ${one.status}`, { ...one }),
  );
  return [...sleep, ...message, ...child];
};

/** The calls that have no answer yet. */
const outstanding = (entries: readonly JournalEntry[]): readonly Intent[] => {
  const open = new Map<number, Intent>();
  for (const entry of entries) {
    if (entry.kind === 'answered') open.delete(entry.call);
    if (entry.kind !== 'intents') continue;
    for (const intent of entry.intents) {
      if (intent.type === 'abandon') open.delete(intent.call);
      else if ('call' in intent) open.set(intent.call, intent);
    }
  }
  return [...open.values()];
};

const scheduled = ({ row, awaited }: WhyFacts): readonly Reason[] => {
  const jobs = awaited.map((one) =>
    reason('waits-for-job', `job ${one.job_id}, which must be over first, is ${one.status}`, { ...one }),
  );
  if (row.runAt === neverMs) return jobs;
  const details = { at: row.runAt };
  if (row.attempt > 1 && row.errorCode !== null) {
    const tries = row.content.attemptsMax + row.attemptsForgiven;
    const text = `attempt ${row.attempt} of ${tries} begins at ${timeText(row.runAt)}, as the one before failed: ${row.errorCode}: ${row.errorMessage ?? ''}`;
    return [reason('retry', text, { ...details, attempt: row.attempt, attempts_max: tries, error: row.errorCode })];
  }
  if (row.strikes > 0) {
    const text = `${row.lostLeases} workers fell silent while they held it: it is given out again at ${timeText(row.runAt)}`;
    return [reason('lost-lease', text, { ...details, lost_leases: row.lostLeases })];
  }
  return [reason('scheduled', `it is to run at ${timeText(row.runAt)}`, details)];
};

/** What stands against a claim, whoever claims. */
const stoppers = (facts: WhyFacts, { at }: WhyContext): readonly Reason[] => {
  const { row, settings, queue, key, queueUse, keyUse } = facts;
  const paused = settings.mode === 'paused' ? [reason('paused', `the queue "${queue}" is paused`, { queue })] : [];
  const ofQueue = limitReasons({ what: `the queue "${queue}"`, limits: settings, use: queueUse, at });
  const ofKey =
    key === null || keyUse === null
      ? []
      : limitReasons({
          what: `the key "${key}" of the queue "${queue}"`,
          limits: limitsOfKey(settings, key),
          use: keyUse,
          at,
        });
  const suspect =
    row.strikes >= suspectStrikes
      ? [
          reason(
            'suspect',
            `${row.strikes} workers in a row fell silent while they held it: it is given only to one that holds no other such job`,
            { strikes: row.strikes },
          ),
        ]
      : [];
  return [...paused, ...ofQueue, ...ofKey, ...suspect];
};

const limitReasons = ({
  what,
  limits,
  use,
  at,
}: {
  readonly what: string;
  readonly limits: KeyLimits;
  readonly use: LimitUse;
  readonly at: number;
}): readonly Reason[] => {
  const { concurrency, rate } = limits;
  const full: Reason[] = [];
  if (concurrency !== undefined && use.running >= concurrency) {
    const holders = use.held.map(({ job_id: id }) => id).join(', ');
    const text = `${what} runs at most ${concurrency} jobs at the same time, and these run: ${holders}`;
    full.push(reason('limit-full', text, { limit: concurrency, held: use.held }));
  }
  if (rate !== undefined && rateRoom(use.log, rate, at) === 0) {
    const opensAt = rateOpensAt(use.log, rate, at);
    const text = `${what} allows ${rate.count} claims in ${rate.per_ms} ms: the next one at ${timeText(opensAt)}`;
    full.push(reason('rate-full', text, { ...rate, at: opensAt }));
  }
  return full;
};

/** Who could take it. */
const workerReasons = (facts: WhyFacts, context: WhyContext): readonly Reason[] => {
  const { row, queue } = facts;
  if (!row.durable)
    return [reason('in-line', 'it waits for a client that claims payload jobs (POST /queue/claim)', {})];
  const { kind, requires } = laneName(row.content, optionsOf(row.content.options));
  const able = context.workers.filter((worker) => canServe(worker, { kind, queue, requires }));
  if (able.length === 0) return [noWorker({ kind, requires, queue }, context.workers)];
  const line = inLine(facts);
  const waiting = able.filter(({ worker }) => context.isWaiting(worker));
  if (waiting.length > 0) return line;
  const names = able.map(({ worker }) => worker);
  const text = `all ${names.length} workers that may take it have no free slot, or an engine that takes no more`;
  return [reason('workers-busy', text, { workers: names }), ...line];
};

const inLine = ({ ahead, otherFlows, key }: WhyFacts): readonly Reason[] => {
  const others = otherFlows === 0 ? '' : `, and ${otherFlows} other keys or queues take turns with it`;
  const of = key === null ? '' : ` of the key "${key}"`;
  return [reason('in-line', `${ahead} jobs${of} come before it${others}`, { ahead, other_flows: otherFlows })];
};

const noWorker = ({ kind, requires, queue }: JobClass, workers: readonly AbleWorker[]): Reason => {
  if (workers.length === 0) return reason('no-worker', 'no worker is connected', { workers: [] });
  const lacking = workers.map(({ worker, tags, queues }) => ({
    worker,
    lacks: requires.filter((tag) => !tags.includes(tag)),
    serves_queue: queues === null || queues.includes(queue),
  }));
  const handler = handlerOf(kind);
  const otherKinds = handler === undefined ? 'runs other kinds of jobs' : `has no handler "${handler}"`;
  const list = lacking
    .map(
      ({ worker, lacks, serves_queue: serves }) =>
        `${shortName(worker)} ${lacks.length > 0 ? `lacks ${lacks.join(', ')}` : serves ? otherKinds : 'serves other queues'}`,
    )
    .join('; ');
  return reason('no-worker', `no worker may take it: ${list}`, { requires, queue, workers: lacking });
};

const deadlineReason = ({ row }: WhyFacts): readonly Reason[] =>
  row.deadlineAt === null || isFinal(row.state)
    ? []
    : [reason('deadline', `a timeout ends it, or its attempt, at ${timeText(row.deadlineAt)}`, { at: row.deadlineAt })];

// A node id is told by its first digits everywhere.
const shortName = (worker: string): string => (/^[0-9a-f]{64}$/.test(worker) ? worker.slice(0, 10) : worker);

const timeText = (ms: number): string => new Date(ms).toISOString();
