/**
 * Runs transcripts of the state machine: blocks of commands, a line of dashes, and what they answer. Times are relative
 * to the start and move by `tick`.
 */
import {
  blake3,
  chainHash,
  chainStart,
  defaultBackoff,
  encodeModule,
  jobStates,
  moduleHash,
  MvmError,
  nodeRoles,
  type FinishOutcome,
  type InboxItem,
  type InternalEffect,
  type JobState,
  type JournalBatch,
} from '@mvm-ci/protocol';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { apply } from '../../src/machine/apply.ts';
import type { Command } from '../../src/machine/command.ts';
import type { Effects } from '../../src/machine/effects.ts';
import { inboxItem, inboxSql } from '../../src/machine/inbox-table.ts';
import type { JobRecord } from '../../src/machine/job-row.ts';
import type { NodeRecord } from '../../src/machine/node-table.ts';
import { openTables, type Tables } from '../../src/machine/tables.ts';
import { neverMs } from '../../src/machine/transition.ts';
import type { TicketRecord } from '../../src/machine/ticket-table.ts';
import type { Reply } from '../../src/machine/reply.ts';
import { contentHash } from '../../src/queue/content-hash.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';
import { migrate } from '../../src/store/migration.ts';

const start = 1_000_000;
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
  readonly #tables: Tables;
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
    this.#db.exec('SAVEPOINT command');
    try {
      const { reply, effects } = apply(this.#tables, command);
      this.#db.exec('RELEASE command');
      return [...replyText(reply), ...effectText(effects)];
    } catch (error) {
      this.#db.exec('ROLLBACK TO command; RELEASE command');
      this.#tables.counters.restore(before);
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
        return { type: 'claim', at, worker: name, incarnation, capacity: numberOf(line, 'capacity', 1) };
      }
      case 'claim-bare':
        return { type: 'claim-bare', at, worker: first };
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
        return { type: 'cancel', at, job: first, reason: second };
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

const publishCommand = (line: Line, at: number): Command => {
  const reference = line.pairs.get('workflow') ?? null;
  const attemptsMax = numberOf(line, 'attempts', 1);
  const content = { reference, input: line.pairs.get('input') ?? 'null', attemptsMax, backoff: defaultBackoff };
  const hash = contentHash(content);
  const jobs = line.words.map((id) => ({ id, ...content, hash }));
  return { type: 'publish', at, jobs, pendingJobsMax: numberOf(line, 'room', 1_000) };
};

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
  return { type: 'failed', error, retryable: kind === 'failed-retryable' };
};

const replyText = (reply: Reply): readonly string[] => {
  switch (reply.type) {
    case 'publish':
      return reply.jobs.map((job) => `${job.job_id} ${job.status} ${job.created ? 'created' : 'known'}`);
    case 'claim':
      return reply.jobs.length === 0
        ? ['none']
        : reply.jobs.map(
            (job) =>
              `${job.job} epoch=${job.epoch} attempt=${job.attempt} ${job.workflow} entries=${job.journalEntries}`,
          );
    case 'claim-bare':
      return [reply.row === null ? 'none' : stateText(reply.row)];
    case 'report':
    case 'cancel':
      return [stateText(reply.row)];
    case 'append':
    case 'finish':
      return reply.results.map((result) =>
        result.ok
          ? ['ok', ...(result.refused ?? []).map((item) => `refused: ${item.number} ${bodyText(item)}`)].join('; ')
          : `${result.error.code}: ${result.error.message}`,
      );
    case 'send-message':
      return [`number ${reply.number} ${reply.created ? 'created' : 'known'}`];
    case 'deploy':
      return [`${reply.module.name}@${reply.module.version} ${reply.created ? 'created' : 'known'}`];
    case 'compact':
      return [`${reply.rows} batches packed, ${reply.seen} jobs seen`];
    case 'repin':
      return reply.results.map(({ job_id: id, result }) => `${id} ${result}`);
    case 'join':
      return [`${reply.known ? 'known' : 'let in'}: ${nodeText(reply.node)}`];
    case 'create-ticket':
    case 'revoke-ticket':
      return [ticketText(reply.ticket)];
    case 'ban-node':
    case 'allow-node':
    case 'rename-node':
      return [nodeText(reply.node)];
    case 'expire':
    case 'touch-nodes':
    case 'found':
      return ['ok'];
  }
};

const effectText = (effects: Effects): readonly string[] => [
  ...effects.leases.map(
    (lease) =>
      `  lease ${lease.job}/${lease.epoch} to ${lease.worker}${lease.bare ? ' (bare)' : `/${lease.incarnation}`}`,
  ),
  ...effects.released.map((lease) => `  lease ${lease.job}/${lease.epoch} over`),
  ...effects.cancels.map((lease) => `  tell the holder of ${lease.job}/${lease.epoch} to cancel: ${lease.reason}`),
  ...(effects.available > 0 ? [`  ${effects.available} available`] : []),
  ...(effects.runAt === null ? [] : [`  next at ${effects.runAt - start}`]),
  ...effects.finals.map((job) => `  ${job} is over`),
  ...effects.inboxes.map((job) => `  news for ${job}`),
  ...effects.responses.map((job) => `  ${job} responded`),
];

const bodyText = ({ body }: InboxItem): string => {
  switch (body.type) {
    case 'message':
      return `message ${body.messageType} ${body.data}${body.from === null ? '' : ` from ${body.from}`}`;
    case 'child':
      return `child ${body.job} ${JSON.stringify(body.outcome)}`;
    case 'refused':
      return `call ${body.call} refused: ${body.error.code}`;
  }
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

const errorText = (error: unknown): string => {
  if (error instanceof MvmError) return `${error.code}: ${error.message}`;
  throw error;
};

const nodeText = ({ node, name, role, tags, ticket, bannedAt, banReason }: NodeRecord): string =>
  [
    node,
    name === node ? '' : `name=${name}`,
    role,
    tags.length === 0 ? '' : `tags=${tags.join(',')}`,
    `by ${ticket}`,
    bannedAt === null ? '' : `banned at ${bannedAt - start}${banReason ? `: ${banReason}` : ''}`,
  ]
    .filter((part) => part !== '')
    .join(' ');

const ticketText = ({ id, role, tags, uses, usesMax, expiresAt, revokedAt }: TicketRecord): string =>
  [
    id,
    role,
    tags.length === 0 ? '' : `tags=${tags.join(',')}`,
    `uses=${uses}/${usesMax ?? 'any'}`,
    expiresAt === null ? '' : `expires at ${expiresAt - start}`,
    revokedAt === null ? '' : `revoked at ${revokedAt - start}`,
  ]
    .filter((part) => part !== '')
    .join(' ');

const stateText = (job: JobRecord): string =>
  [
    `${job.id} ${job.state} epoch=${job.epoch} attempt=${job.attempt}`,
    job.worker === null ? '' : `worker=${job.worker}`,
    job.journalEntries === 0 ? '' : `entries=${job.journalEntries}`,
    job.lostLeases === 0 ? '' : `lost=${job.lostLeases}`,
    job.resumes === 0 ? '' : `resumes=${job.resumes}`,
    job.state === 'waiting' ? (job.runAt === neverMs ? 'wakes=never' : `wakes=${job.runAt - start}`) : '',
    job.parent === null ? '' : `parent=${job.parent}/${job.parentAttempt}${job.isDetached ? ' detached' : ''}`,
    job.state === 'pending' && job.runAt > start ? `run_at=${job.runAt - start}` : '',
    job.cancelReason === null ? '' : `cancel=${job.cancelReason}`,
    job.result === null ? '' : `result=${job.result}`,
    job.errorCode === null ? '' : `error=${job.errorCode}`,
    `change=${job.change}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
