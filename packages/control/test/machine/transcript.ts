/**
 * Runs transcripts of the state machine (`transcripts/*.txt`). A transcript is blocks with an empty line between them: commands, a line
 * `----`, and what they answered, which is written by the machine (`REWRITE=1`) and reviewed by people. `#` begins a remark.
 *
 * A command is a verb, plain words and `name=value` pairs: `claim w1/i1 capacity=2`, `finish a failed epoch=2 by=w2`. What is not said is
 * the first: epoch 1, attempt 1, worker w1. Times are ms from the start and move by `tick MS` alone. `state ID…` and `inbox ID…` look and
 * change nothing; `restart` opens the database anew, as after a crash: all that is kept in memory is made from the tables again.
 * Answers that begin with two blanks are effects: what the shell does after the commit.
 */
import {
  blake3,
  chainHash,
  chainStart,
  defaultBackoff,
  encodeModule,
  jobOptionShape,
  jobStates,
  moduleHash,
  nodeRoles,
  optionsText,
  queueChangeSchema,
  type FinishOutcome,
  type InternalEffect,
  type JobOptions,
  type JobState,
  type JournalBatch,
} from '@mvm-ci/protocol';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { apply } from '../../src/machine/apply.ts';
import type { Command } from '../../src/machine/command.ts';
import { inboxItem, inboxSql } from '../../src/machine/inbox-table.ts';
import { openTables, type Tables } from '../../src/machine/tables.ts';
import { contentHash } from '../../src/queue/content-hash.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';
import { migrate } from '../../src/store/migration.ts';
import { bodyText, effectText, errorText, replyText, start, stateText } from './transcript-text.ts';

const encoder = new TextEncoder();

/** One line: a verb, plain words, and `name=value` pairs. */
interface Line {
  readonly verb: string;
  readonly words: readonly string[];
  readonly pairs: ReadonlyMap<string, string>;
}

/** A state machine that is driven by text. */
export class Transcript {
  readonly #db: DatabaseSync = new DatabaseSync(':memory:');
  #tables: Tables;
  /** Hash of each batch that was ever sent, by job, attempt and the entry after it. */
  readonly #chain: Map<string, Uint8Array> = new Map();
  #at = start;

  constructor() {
    migrate(this.#db);
    this.#tables = openTables(this.#db);
  }

  /** The whole text again, with each block's answers as they are. */
  run(text: string): string {
    const blocks = text.trimEnd().split(/\n\n+/);
    return `${blocks.map((block) => this.#block(block)).join('\n\n')}\n`;
  }

  #block(block: string): string {
    const [commands = ''] = block.split(/\n?----\n?/);
    const lines = commands.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    if (lines.length === 0) return commands;
    return [commands, '----', ...lines.flatMap((line) => this.#line(parse(line)))].join('\n');
  }

  #line(line: Line): readonly string[] {
    if (line.verb === 'tick') {
      this.#at += Number(line.words[0]);
      return [`at ${this.#at - start}`];
    }
    if (line.verb === 'restart') {
      this.#tables.counters.save();
      this.#tables = openTables(this.#db);
      return ['restarted'];
    }
    if (line.verb === 'inbox') return line.words.flatMap((id) => this.#inbox(id));
    if (line.verb === 'state') return line.words.map((id) => stateText(this.#tables.jobs.get(id)));
    return this.#apply(this.#command(line));
  }

  #inbox(id: string): readonly string[] {
    const job = this.#tables.jobs.get(id);
    const items = this.#db.prepare(inboxSql).all(job.number, 0, 100).map(inboxItem);
    const waiting = `${job.inboxItems} of ${job.inboxLast} wait`;
    return [waiting, ...items.map((item) => `  ${item.number} ${bodyText(item)}`)];
  }

  #apply(command: Command): readonly string[] {
    const before = this.#tables.counters.snapshot();
    this.#tables.lanes.begin();
    this.#tables.queues.begin();
    this.#db.exec('SAVEPOINT command');
    try {
      const { reply, effects } = apply(this.#tables, command);
      this.#db.exec('RELEASE command');
      return [...replyText(reply), ...effectText(effects)];
    } catch (error) {
      this.#db.exec('ROLLBACK TO command; RELEASE command');
      this.#tables.counters.restore(before);
      this.#tables.lanes.undo();
      this.#tables.queues.undo();
      return [errorText(error)];
    }
  }

  #command(line: Line): Command {
    const at = this.#at;
    const [first = '', second = ''] = line.words;
    const worker = line.pairs.get('by') ?? 'w1';
    switch (line.verb) {
      case 'deploy':
        return deployCommand(first, at, line);
      case 'publish':
        return publishCommand(line, at);
      case 'claim': {
        const [name = '', incarnation = ''] = first.split('/');
        const capacity = numberOf(line, 'capacity', 1);
        return { type: 'claim', at, worker: name, incarnation, capacity, ...abilityOf(line) };
      }
      case 'claim-bare':
        return { type: 'claim-bare', at, worker: first, ...abilityOf(line) };
      case 'expire':
        return { type: 'expire', at, leases: [{ job: first, epoch: numberOf(line, 'epoch', 1) }] };
      case 'append':
        return {
          type: 'append',
          at,
          worker,
          appends: [{ ...this.#named(line), ...this.#batch(line), internal: internalOf(line) }],
          pendingJobsMax: numberOf(line, 'room', 1_000),
        };
      case 'send':
        return {
          type: 'send-message',
          at,
          job: first,
          id: line.pairs.get('id') ?? null,
          messageType: second,
          data: line.pairs.get('data') ?? 'null',
        };
      case 'finish':
        return this.#finish(line, worker);
      case 'report':
        return reportCommand(line, at);
      case 'cancel':
        return { type: 'cancel', at, job: first, reason: second, graceMs: numberOrNull(line, 'grace') };
      case 'deadlines':
        return { type: 'expire-deadlines', at, jitter: numberOf(line, 'jitter', 1) };
      case 'queue':
        return { type: 'set-queue', at, queue: first, change: queueChangeSchema.parse(JSON.parse(second)) };
      case 'schedule':
        return { type: 'set-schedule', at, name: first, spec: '{}', nextAt: timeOf(line, 'next'), schedulesMax: 2 };
      case 'unschedule':
        return { type: 'delete-schedule', at, name: first };
      case 'fire':
        return fireCommand(line, at);
      case 'prune':
        return { type: 'prune', at, jobs: line.words };
      case 'retry':
        return { type: 'retry', at, jobs: line.words };
      case 'compact':
        return { type: 'compact', at, before: at - numberOf(line, 'after', 0), jobsMax: numberOf(line, 'jobs', 100) };
      case 'repin': {
        const [name = '', version = ''] = second.split('@');
        const attempt = numberOf(line, 'attempt', 1);
        return {
          type: 'repin',
          at,
          name,
          version,
          jobs: [{ job_id: first, attempt, journal_entries: numberOf(line, 'entries', 0) }],
        };
      }
      case 'ticket':
        return ticketCommand(line, at);
      case 'revoke':
        return { type: 'revoke-ticket', at, id: first };
      case 'ban':
        return { type: 'ban-node', at, node: first, reason: second };
      case 'leave': {
        const [name = '', incarnation = ''] = first.split('/');
        return { type: 'leave', at, worker: name, incarnation };
      }
      case 'allow':
        return { type: 'allow-node', at, node: first };
      case 'rename':
        return { type: 'rename-node', at, node: first, name: second };
      case 'join':
        return {
          type: 'join',
          at,
          node: first,
          name: line.pairs.get('name') ?? first,
          tokenHash: second === '' ? null : hashOf(second),
          nodesMax: 3,
        };
      default:
        throw new Error(`no verb "${line.verb}"`);
    }
  }

  #finish(line: Line, worker: string): Command {
    const outcome = outcomeOf(line);
    const append = line.pairs.has('seq') ? { append: { ...this.#batch(line), internal: internalOf(line) } } : {};
    const item = { ...this.#named(line), ...append, outcome, outcomeHash: outcomeHash(outcome) };
    return { type: 'finish', at: this.#at, worker, finishes: [item], jitter: numberOf(line, 'jitter', 1) };
  }

  #named(line: Line): { job: string; epoch: number; attempt: number } {
    return { job: line.words[0] ?? '', epoch: numberOf(line, 'epoch', 1), attempt: numberOf(line, 'attempt', 1) };
  }

  #batch(line: Line): JournalBatch {
    const { job, attempt } = this.#named(line);
    const firstSeq = numberOf(line, 'seq', 0);
    const body = { firstSeq, count: numberOf(line, 'count', 1), bytes: encoder.encode(line.pairs.get('bytes') ?? 'x') };
    if (line.pairs.get('hash') === 'wrong') return { ...body, hash: blake3('wrong') };
    const previous = firstSeq === 0 ? chainStart(job, attempt) : this.#chain.get(`${job} ${attempt} ${firstSeq}`);
    const hash = chainHash(previous ?? blake3('none'), body);
    const next = `${job} ${attempt} ${firstSeq + body.count}`;
    if (!this.#chain.has(next)) this.#chain.set(next, hash);
    return { ...body, hash };
  }
}

const parse = (text: string): Line => {
  const [verb = '', ...rest] = text.split(' ');
  const words = rest.filter((word) => !/^[a-z_]+=/.test(word));
  const pairs = rest.filter((word) => /^[a-z_]+=/.test(word));
  return { verb, words, pairs: new Map(pairs.map((pair) => splitPair(pair))) };
};

const splitPair = (pair: string): [string, string] => [
  pair.slice(0, pair.indexOf('=')),
  pair.slice(pair.indexOf('=') + 1),
];

const numberOf = (line: Line, name: string, otherwise: number): number => Number(line.pairs.get(name) ?? otherwise);

const hashOf = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest());

const deployCommand = (reference: string, at: number, line: Line): Command => {
  const [name = '', version = ''] = reference.split('@');
  const workflows = line.words.slice(1);
  const code = encoder.encode(line.pairs.get('code') ?? '');
  const file = encodeModule({ kind: 'javascript', runtime: '', workflows, code, sourceMap: new Uint8Array() });
  return {
    type: 'deploy',
    at,
    name,
    version,
    hash: moduleHash(file),
    kind: 'javascript',
    runtime: '',
    workflows,
    file,
  };
};

/** `fire NAME at next=NUMBER job=ID`: without a job the time was missed. */
const fireCommand = (line: Line, at: number): Command => {
  const [name = '', scheduledFor = ''] = line.words;
  const id = line.pairs.get('job');
  const overlap = (['skip', 'allow', 'cancel', 'queue'] as const).find((one) => one === line.pairs.get('overlap'));
  const content = {
    reference: line.pairs.get('workflow') ?? 'crawler',
    input: 'null',
    attemptsMax: 1,
    backoff: defaultBackoff,
    options: null,
  };
  return {
    type: 'fire-schedule',
    at,
    name,
    scheduledFor: start + Number(scheduledFor),
    nextAt: timeOf(line, 'next'),
    job: id === undefined ? null : { id, ...content, hash: contentHash(content) },
    overlap: overlap ?? 'skip',
    pendingJobsMax: 1_000,
  };
};

/** A time that the line names, counted from the start. */
const timeOf = (line: Line, name: string): number | null =>
  line.pairs.has(name) ? start + numberOf(line, name, 0) : null;

const publishCommand = (line: Line, at: number): Command => {
  const reference = line.pairs.get('workflow') ?? null;
  const attemptsMax = numberOf(line, 'attempts', 1);
  const options = optionsText(jobOptions(line));
  const content = {
    reference,
    input: line.pairs.get('input') ?? 'null',
    attemptsMax,
    backoff: defaultBackoff,
    options,
  };
  const hash = contentHash(content);
  const jobs = line.words.map((id) => ({ id, ...content, hash }));
  return { type: 'publish', at, jobs, pendingJobsMax: numberOf(line, 'room', 1_000) };
};

/** The options that the line names; `run_at` counts from the start. */
const jobOptions = (line: Line): JobOptions => {
  const number = (name: string): number | undefined => (line.pairs.has(name) ? numberOf(line, name, 0) : undefined);
  const runAt = number('run_at');
  const key = line.pairs.get('unique');
  const unique = { key, window_ms: number('window'), policy: line.pairs.get('policy') };
  const [requires, tags, after] = ['requires', 'tags', 'after'].map((name) => namesOf(line, name));
  const fields = {
    queue: line.pairs.get('queue'),
    priority: number('priority'),
    key: line.pairs.get('key'),
    requires,
    tags,
    after,
    delay_ms: number('delay'),
    run_at_ms: runAt === undefined ? undefined : start + runAt,
    start_timeout_ms: number('start_timeout'),
    attempt_timeout_ms: number('attempt_timeout'),
    timeout_ms: number('timeout'),
    unique: key === undefined ? undefined : unique,
    on_dependency_failure: line.pairs.get('on_failure'),
  };
  return z.object(jobOptionShape).parse(fields);
};

const namesOf = (line: Line, name: string): readonly string[] | undefined => line.pairs.get(name)?.split(',');

const abilityOf = (line: Line): { readonly tags: readonly string[]; readonly queues: readonly string[] | null } => ({
  tags: namesOf(line, 'tags') ?? [],
  queues: namesOf(line, 'queues') ?? null,
});

const numberOrNull = (line: Line, name: string): number | null =>
  line.pairs.has(name) ? numberOf(line, name, 0) : null;

const ticketCommand = (line: Line, at: number): Command => {
  const [token = ''] = line.words;
  const role = nodeRoles.find((one) => one === (line.pairs.get('role') ?? 'worker'));
  if (role === undefined) throw new Error('no such role');
  const [uses, expires] = [line.pairs.get('uses'), line.pairs.get('expires')];
  return {
    type: 'create-ticket',
    at,
    id: `id-${token}`,
    hash: hashOf(token),
    name: null,
    role,
    tags: line.pairs.get('tags')?.split(',') ?? [],
    usesMax: uses === undefined ? null : Number(uses),
    expiresAt: expires === undefined ? null : at + Number(expires),
    ticketsMax: numberOf(line, 'room', 100),
  };
};

const reportCommand = (line: Line, at: number): Command => {
  const [job = '', status = ''] = line.words;
  const result = line.pairs.get('result') ?? null;
  const outcome = outcomeHash({ type: 'completed', result: result ?? 'null' });
  const worker = line.pairs.get('by') ?? null;
  return {
    type: 'report',
    at,
    job,
    worker,
    status: stateOf(status),
    result,
    error: null,
    outcomeHash: outcome,
    jitter: 1,
  };
};

const stateOf = (text: string): JobState => {
  const state = jobStates.find((one) => one === text);
  if (state === undefined) throw new Error(`no state "${text}"`);
  return state;
};

const outcomeOf = (line: Line): FinishOutcome => {
  const kind = line.words[1];
  if (kind === 'completed') return { type: 'completed', result: line.pairs.get('result') ?? 'null' };
  if (kind === 'cancelled' || kind === 'released') return { type: kind };
  if (kind === 'suspended') {
    const wake = line.pairs.get('wake');
    return {
      type: kind,
      wakeAt: wake === undefined ? null : start + Number(wake),
      seen: numberOf(line, 'seen', 0),
    };
  }
  const code = line.pairs.get('code') === 'OUTCOME_UNKNOWN' ? 'OUTCOME_UNKNOWN' : 'WORKFLOW_FAILED';
  const error = { code, message: line.pairs.get('message') ?? 'thrown' } as const;
  const retryAfterMs = numberOrNull(line, 'after') ?? undefined;
  return { type: 'failed', error, retryable: kind === 'failed-retryable', retryAfterMs };
};

/** `consume=1,2 start=child/workflow/call[/detached] tell=job/type/call respond=value`; `start` and `tell` may name several, by commas. */
const internalOf = (line: Line): readonly InternalEffect[] => [
  ...listOf(line, 'consume').map((item): InternalEffect => ({ type: 'consume', items: [Number(item)] })),
  ...listOf(line, 'start').map((text): InternalEffect => {
    const [job = '', workflow = '', call, detached] = text.split('/');
    const fixed = { input: 'null', attemptsMax: 1, detached: detached !== undefined } as const;
    return { type: 'start', call: Number(call), job, workflow, ...fixed };
  }),
  ...listOf(line, 'tell').map((text): InternalEffect => {
    const [job = '', messageType = '', call] = text.split('/');
    return { type: 'send', call: Number(call), job, messageType, data: '1' };
  }),
  ...listOf(line, 'respond').map((value): InternalEffect => ({ type: 'respond', value })),
];

const listOf = (line: Line, name: string): readonly string[] => line.pairs.get(name)?.split(',') ?? [];
