/** How replies, effects and rows of the state machine read in a transcript. */
import { MvmError, type InboxItem } from '@mvm-ci/protocol';
import type { Available, Effects } from '../../src/machine/effects.ts';
import type { JobRecord } from '../../src/machine/job-row.ts';
import type { JobClass } from '../../src/machine/lane-table.ts';
import type { NodeRecord } from '../../src/machine/node-table.ts';
import type { Reply } from '../../src/machine/reply.ts';
import type { ScheduleRecord } from '../../src/machine/schedule-table.ts';
import type { TicketRecord } from '../../src/machine/ticket-table.ts';
import { neverMs } from '../../src/machine/transition.ts';

/** The time at which a transcript begins; all times in it count from there. */
export const start = 1_000_000;

/** A reply, line by line. */
export const replyText = (reply: Reply): readonly string[] => {
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
    case 'move':
      return [stateText(reply.row)];
    case 'append':
    case 'finish':
      return reply.results.map((result) =>
        result.ok
          ? ['ok', ...(result.refused ?? []).map((item) => `refused: ${item.number} ${bodyText(item)}`)].join('; ')
          : `${result.error.code}: ${result.error.message}`,
      );
    case 'keep-snapshot':
      return [`snapshot of ${reply.entries} entries`];
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
    case 'expire-deadlines':
      return [reply.next === null ? 'no deadline' : `next deadline at ${reply.next - start}`];
    case 'set-queue':
      return [JSON.stringify(reply.settings)];
    case 'set-schedule':
    case 'fire-schedule':
      return [scheduleText(reply.schedule)];
    case 'leave':
    case 'retry':
      return [reply.jobs.length === 0 ? 'none' : reply.jobs.join(' ')];
    case 'keep-blob':
      return [`${reply.bytes} bytes`];
    case 'drop-blobs':
      return [reply.hashes.length === 0 ? 'none' : reply.hashes.join(' ')];
    case 'prune':
      return [`${reply.pruned} pruned`];
    case 'set-webhook':
    case 'advance-webhook':
      return [`${reply.webhook.name} told up to ${reply.webhook.change}, ${reply.webhook.dropped} dropped`];
    case 'delete-webhook':
    case 'delete-schedule':
    case 'expire':
    case 'touch-nodes':
    case 'found':
      return ['ok'];
  }
};

/** Effects, line by line. */
export const effectText = (effects: Effects): readonly string[] => [
  ...effects.leases.map(
    (lease) =>
      `  lease ${lease.job}/${lease.epoch} to ${lease.worker}${lease.bare ? ' (bare)' : `/${lease.incarnation}`}`,
  ),
  ...effects.released.map((lease) => `  lease ${lease.job}/${lease.epoch} over`),
  ...effects.cancels.map((lease) => `  tell the holder of ${lease.job}/${lease.epoch} to cancel: ${lease.reason}`),
  ...[...effects.available.values()].map((found) => `  ${countText(found)}${classText(found)} available`),
  ...(effects.runAt === null ? [] : [`  next at ${effects.runAt - start}`]),
  ...(effects.deadlineAt === null ? [] : [`  deadline at ${effects.deadlineAt - start}`]),
  ...effects.finals.map((job) => `  ${job} is over`),
  ...effects.inboxes.map((job) => `  news for ${job}`),
  ...effects.responses.map((job) => `  ${job} responded`),
];

const scheduleText = ({ name, nextAt, lastJob, skipped, errorCode }: ScheduleRecord): string =>
  [
    name,
    nextAt === null ? 'no next time' : `next=${nextAt - start}`,
    lastJob === null ? '' : `last=${lastJob}`,
    `skipped=${skipped}`,
    errorCode === null ? '' : `error=${errorCode}`,
  ]
    .filter((part) => part !== '')
    .join(' ');

const countText = ({ count, left }: Available): string =>
  left === null ? String(count) : count === 0 ? `${left} left` : `${count}, ${left} left`;

/** What is not as by default. */
const classText = ({ kind, queue, requires }: JobClass): string => {
  const parts = [
    kind === 'workflow' ? '' : kind,
    queue === 'default' ? '' : `in ${queue}`,
    requires.length === 0 ? '' : `for ${requires.join('+')}`,
  ];
  const text = parts.filter((part) => part !== '').join(' ');
  return text === '' ? '' : ` ${text}`;
};

/** What an inbox item holds. */
export const bodyText = ({ body }: InboxItem): string => {
  switch (body.type) {
    case 'message':
      return `message ${body.messageType} ${body.data}${body.from === null ? '' : ` from ${body.from}`}`;
    case 'child':
      return `child ${body.job} ${JSON.stringify(body.outcome)}`;
    case 'refused':
      return `call ${body.call} refused: ${body.error.code}`;
  }
};

/** A refusal. @throws what is none */
export const errorText = (error: unknown): string => {
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

/** A job, but for what is as at the beginning. */
export const stateText = (job: JobRecord): string =>
  [
    `${job.id} ${job.state} epoch=${job.epoch} attempt=${job.attempt}`,
    job.worker === null ? '' : `worker=${job.worker}`,
    job.journalEntries === 0 ? '' : `entries=${job.journalEntries}`,
    job.lostLeases === 0 ? '' : `lost=${job.lostLeases}`,
    job.resumes === 0 ? '' : `resumes=${job.resumes}`,
    job.state === 'waiting' ? (job.runAt === neverMs ? 'wakes=never' : `wakes=${job.runAt - start}`) : '',
    job.parent === null ? '' : `parent=${job.parent}/${job.parentAttempt}${job.isDetached ? ' detached' : ''}`,
    job.state === 'pending' && job.runAt > start ? `run_at=${job.runAt === neverMs ? 'never' : job.runAt - start}` : '',
    job.cancelReason === null ? '' : `cancel=${job.cancelReason}`,
    job.result === null ? '' : `result=${job.result}`,
    job.errorCode === null ? '' : `error=${job.errorCode}`,
    `change=${job.change}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
