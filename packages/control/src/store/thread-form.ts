/**
 * Commands, replies and effects in the form in which they cross from one thread to another. A copy of many objects costs several times
 * what one of their values costs: each is written with its keys, and each hash as a buffer of its own.
 *
 *   1. What comes out equals what went in.
 *   2. Both ends are of one process: a form is never stored and has no versions.
 */
import { hashBytes, joinByteStrings, type FinishOutcome, type ItemAnswer } from '@mvm-ci/protocol';
import type { Command, FinishCommand, HashedFinish, PublishCommand, PublishItem } from '../machine/command.ts';
import { noEffects, type Effects } from '../machine/effects.ts';
import type { ClaimedRow, Reply, ReplyTo } from '../machine/reply.ts';
import { noTally, type Tally } from '../machine/tally.ts';

/** Hashes in one buffer; one by one where not all have the usual length. */
type Hashes = Uint8Array | readonly Uint8Array[];

const joined = (hashes: readonly Uint8Array[]): Hashes =>
  hashes.every(({ length }) => length === hashBytes) ? joinByteStrings(hashes) : hashes;

const hashAt = (hashes: Hashes, index: number): Uint8Array =>
  hashes instanceof Uint8Array
    ? hashes.subarray(index * hashBytes, (index + 1) * hashBytes)
    : (hashes[index] ?? new Uint8Array());

type PublishValues = readonly [
  id: string,
  reference: PublishItem['reference'],
  input: string,
  attemptsMax: number,
  backoff: PublishItem['backoff'],
  options: PublishItem['options'],
  trace: PublishItem['trace'],
];

interface SentPublish extends Omit<PublishCommand, 'jobs'> {
  readonly jobs: readonly PublishValues[];
  readonly hashes: Hashes;
}

const sentPublish = (command: PublishCommand): SentPublish => ({
  ...command,
  jobs: command.jobs.map(({ id, reference, input, attemptsMax, backoff, options, trace }): PublishValues => [
    id,
    reference,
    input,
    attemptsMax,
    backoff,
    options,
    trace,
  ]),
  hashes: joined(command.jobs.map(({ hash }) => hash)),
});

const wholePublish = ({ jobs, hashes, ...command }: SentPublish): PublishCommand => ({
  ...command,
  jobs: jobs.map(([id, reference, input, attemptsMax, backoff, options, trace], index): PublishItem => ({
    id,
    reference,
    input,
    attemptsMax,
    backoff,
    options,
    trace,
    hash: hashAt(hashes, index),
  })),
});

type FinishValues = readonly [
  job: string,
  epoch: number,
  attempt: number,
  /** The result of one that completed. */
  outcome: FinishOutcome | string,
  append: HashedFinish['append'],
];

interface SentFinish extends Omit<FinishCommand, 'finishes'> {
  readonly finishes: readonly FinishValues[];
  readonly hashes: Hashes;
}

const sentFinish = (command: FinishCommand): SentFinish => ({
  ...command,
  finishes: command.finishes.map(({ job, epoch, attempt, outcome, append }): FinishValues => [
    job,
    epoch,
    attempt,
    outcome.type === 'completed' ? outcome.result : outcome,
    append,
  ]),
  hashes: joined(command.finishes.map(({ outcomeHash }) => outcomeHash)),
});

const wholeFinish = ({ finishes, hashes, ...command }: SentFinish): FinishCommand => ({
  ...command,
  finishes: finishes.map(([job, epoch, attempt, outcome, append], index): HashedFinish => ({
    job,
    epoch,
    attempt,
    outcome: typeof outcome === 'string' ? { type: 'completed', result: outcome } : outcome,
    append,
    outcomeHash: hashAt(hashes, index),
  })),
});

/** A command on its way to the store's thread. */
export type SentCommand = Exclude<Command, PublishCommand | FinishCommand> | SentPublish | SentFinish;

/** @returns what {@link wholeCommand} makes the command of */
export const sentCommand = (command: Command): SentCommand => {
  if (command.type === 'publish') return sentPublish(command);
  return command.type === 'finish' ? sentFinish(command) : command;
};

/** The command that {@link sentCommand} was given. */
export const wholeCommand = (sent: SentCommand): Command => {
  if (sent.type === 'publish') return wholePublish(sent);
  return sent.type === 'finish' ? wholeFinish(sent) : sent;
};

type Content = ClaimedRow['content'];
type ClaimedValues = readonly [
  job: string,
  epoch: number,
  attempt: number,
  module: string,
  workflow: string,
  input: string,
  journalEntries: number,
  reference: Content['reference'],
  attemptsMax: number,
  backoffInitialMs: number,
  backoffFactor: number,
  backoffMaxMs: number,
  options: Content['options'],
  trace: Content['trace'],
];

interface SentClaim {
  readonly type: 'claim';
  readonly jobs: readonly ClaimedValues[];
  readonly hashes: Hashes;
}

const sentClaim = ({ jobs }: ReplyTo<'claim'>): SentClaim => ({
  type: 'claim',
  jobs: jobs.map(({ job, epoch, attempt, module, workflow, input, journalEntries, content }): ClaimedValues => [
    job,
    epoch,
    attempt,
    module,
    workflow,
    input,
    journalEntries,
    content.reference,
    content.attemptsMax,
    content.backoffInitialMs,
    content.backoffFactor,
    content.backoffMaxMs,
    content.options,
    content.trace,
  ]),
  hashes: joined(jobs.map(({ content }) => content.hash)),
});

const wholeClaim = ({ jobs, hashes }: SentClaim): ReplyTo<'claim'> => ({
  type: 'claim',
  jobs: jobs.map((values, index): ClaimedRow => {
    const [job, epoch, attempt, module, workflow, input, journalEntries, ...content] = values;
    const [reference, attemptsMax, backoffInitialMs, backoffFactor, backoffMaxMs, options, trace] = content;
    const hash = hashAt(hashes, index);
    return {
      job,
      epoch,
      attempt,
      module,
      workflow,
      input,
      journalEntries,
      content: { reference, attemptsMax, backoffInitialMs, backoffFactor, backoffMaxMs, options, trace, hash },
    };
  }),
});

/** How many were done, when all were and nothing more is to be said of any. */
type Results = readonly ItemAnswer[] | number;

const accepted: ItemAnswer = { ok: true };

const sentResults = (results: readonly ItemAnswer[]): Results =>
  results.every((one) => one.ok && one.refused === undefined) ? results.length : results;

const wholeResults = (results: Results): readonly ItemAnswer[] =>
  typeof results === 'number' ? Array.from({ length: results }, () => accepted) : results;

interface SentResults {
  readonly type: 'append' | 'finish';
  readonly results: Results;
}

type Published = ReplyTo<'publish'>['jobs'][number];

interface SentPublished {
  readonly type: 'publish';
  readonly jobs: readonly (readonly [id: string, status: Published['status'], created: boolean])[];
}

/** A reply on its way from the store's thread. */
export type SentReply =
  | Exclude<Reply, { readonly type: 'claim' | 'append' | 'finish' | 'publish' }>
  | SentClaim
  | SentResults
  | SentPublished;

/** @returns what {@link wholeReply} makes the reply of */
export const sentReply = (reply: Reply): SentReply => {
  switch (reply.type) {
    case 'claim':
      return sentClaim(reply);
    case 'append':
    case 'finish':
      return { type: reply.type, results: sentResults(reply.results) };
    case 'publish':
      return { type: 'publish', jobs: reply.jobs.map(({ job_id, status, created }) => [job_id, status, created]) };
    default:
      return reply;
  }
};

/** The reply that {@link sentReply} was given. */
export const wholeReply = (sent: SentReply): Reply => {
  switch (sent.type) {
    case 'claim':
      return wholeClaim(sent);
    case 'append':
    case 'finish':
      return { type: sent.type, results: wholeResults(sent.results) };
    case 'publish':
      return { type: 'publish', jobs: sent.jobs.map(([job_id, status, created]) => ({ job_id, status, created })) };
    default:
      return sent;
  }
};

type Pair = readonly [job: string, epoch: number];

/** Leases of one holder. */
type HolderLeases = readonly [worker: string, incarnation: string, bare: boolean, leases: Pair[]];

/** Effects without those that there are none of: most commands have few kinds. */
export type SentEffects = Partial<Omit<Effects, 'change' | 'tally' | 'leases' | 'released'>> & {
  readonly change: number;
  readonly tally: Partial<Tally>;
  readonly leases: readonly HolderLeases[];
  readonly released: readonly Pair[];
};

/** @returns what {@link wholeEffects} makes the effects of */
export const sentEffects = ({ change, tally, leases, released, ...effects }: Effects): SentEffects => ({
  ...withoutEmpty(effects),
  change,
  tally: withoutEmpty(tally),
  leases: byHolder(leases),
  released: released.map(({ job, epoch }): Pair => [job, epoch]),
});

/** The effects that {@link sentEffects} was given. */
export const wholeEffects = ({ tally, leases, released, ...effects }: SentEffects): Effects => ({
  ...noEffects(0),
  ...effects,
  tally: { ...noTally(), ...tally },
  leases: leases.flatMap(([worker, incarnation, bare, held]) =>
    held.map(([job, epoch]) => ({ job, epoch, worker, incarnation, bare })),
  ),
  released: released.map(([job, epoch]) => ({ job, epoch })),
});

/** A command gives leases to one holder, or to a few. */
const byHolder = (leases: Effects['leases']): readonly HolderLeases[] => {
  const groups: HolderLeases[] = [];
  for (const { job, epoch, worker, incarnation, bare } of leases) {
    const last = groups.at(-1);
    if (last?.[0] === worker && last[1] === incarnation && last[2] === bare) last[3].push([job, epoch]);
    else groups.push([worker, incarnation, bare, [[job, epoch]]]);
  }
  return groups;
};

const withoutEmpty = <T extends object>(parts: T): Partial<T> => {
  const kept: Partial<T> = {};
  for (const name in parts) if (!isEmpty(parts[name])) kept[name] = parts[name];
  return kept;
};

const isEmpty = (part: unknown): boolean =>
  part === null || part === 0 || (Array.isArray(part) && part.length === 0) || (part instanceof Map && part.size === 0);
