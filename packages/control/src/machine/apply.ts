/**
 * The state machine (I1): one command in, a reply and effects out. It reads no clock, no randomness, no environment, and
 * knows nothing of transactions: the caller wraps it (`store/group-commit.ts`).
 */
import { append } from './append.ts';
import type { Application } from './application.ts';
import { dropBlobs, keepBlob } from './blob.ts';
import { cancel } from './cancel.ts';
import { claim, claimBare } from './claim.ts';
import { compact } from './compact.ts';
import type { Command, ContentCommand, MembershipCommand, UpkeepCommand } from './command.ts';
import { deploy } from './deploy.ts';
import { noEffects, type Effects } from './effects.ts';
import { settleEndings } from './ending.ts';
import { expire } from './expire.ts';
import { expireDeadlines } from './expire-deadlines.ts';
import { finish } from './finish.ts';
import { sendMessage } from './inbox.ts';
import { allowNode, banNode, found, join, leave, renameNode, touchNodes } from './membership.ts';
import { move } from './move.ts';
import { prune } from './prune.ts';
import { publish } from './publish.ts';
import { repin } from './repin.ts';
import { report } from './report.ts';
import { retry } from './retry.ts';
import { deleteSchedule, fireSchedule, setSchedule } from './schedule.ts';
import { setQueue } from './set-queue.ts';
import type { Reply } from './reply.ts';
import { keepSnapshot } from './snapshot.ts';
import type { Tables } from './tables.ts';
import { createTicket, revokeTicket } from './ticket.ts';
import { advanceWebhook, deleteWebhook, setWebhook } from './webhook.ts';

/** What applying a command gives. */
export interface Applied {
  readonly reply: Reply;
  readonly effects: Effects;
}

/**
 * Applies one command to the tables.
 *
 * @throws {MvmError} when the command is refused; the caller undoes what it wrote until then
 */
export const apply = (tables: Tables, command: Command): Applied => {
  const app: Application = { tables, effects: noEffects(0), endings: [] };
  const reply = dispatch(app, command);
  settleEndings(app);
  app.effects.change = tables.counters.get('change');
  return { reply, effects: app.effects };
};

const dispatch = (app: Application, command: Command): Reply => {
  switch (command.type) {
    case 'publish':
      return publish(app, command);
    case 'claim':
      return claim(app, command);
    case 'claim-bare':
      return claimBare(app, command);
    case 'expire':
      return expire(app, command);
    case 'append':
      return append(app, command);
    case 'finish':
      return finish(app, command);
    case 'keep-snapshot':
      return keepSnapshot(app, command);
    case 'report':
      return report(app, command);
    case 'move':
      return move(app, command);
    case 'send-message':
      return sendMessage(app, command);
    default:
      return dispatchUpkeep(app, command);
  }
};

const dispatchUpkeep = (app: Application, command: UpkeepCommand | ContentCommand | MembershipCommand): Reply => {
  switch (command.type) {
    case 'cancel':
      return cancel(app, command);
    case 'expire-deadlines':
      return expireDeadlines(app, command);
    case 'set-queue':
      return setQueue(app, command);
    case 'retry':
      return retry(app, command);
    case 'set-schedule':
      return setSchedule(app, command);
    case 'delete-schedule':
      return deleteSchedule(app, command);
    case 'fire-schedule':
      return fireSchedule(app, command);
    case 'prune':
      return prune(app, command);
    case 'set-webhook':
      return setWebhook(app, command);
    case 'delete-webhook':
      return deleteWebhook(app, command);
    case 'advance-webhook':
      return advanceWebhook(app, command);
    case 'compact':
      return compact(app, command);
    default:
      return dispatchContent(app, command);
  }
};

const dispatchContent = (app: Application, command: ContentCommand | MembershipCommand): Reply => {
  switch (command.type) {
    case 'deploy':
      return deploy(app, command);
    case 'repin':
      return repin(app, command);
    case 'keep-blob':
      return keepBlob(app, command);
    case 'drop-blobs':
      return dropBlobs(app, command);
    default:
      return dispatchMembership(app, command);
  }
};

const dispatchMembership = (app: Application, command: MembershipCommand): Reply => {
  switch (command.type) {
    case 'join':
      return join(app, command);
    case 'create-ticket':
      return createTicket(app, command);
    case 'revoke-ticket':
      return revokeTicket(app, command);
    case 'ban-node':
      return banNode(app, command);
    case 'leave':
      return leave(app, command);
    case 'allow-node':
      return allowNode(app, command);
    case 'rename-node':
      return renameNode(app, command);
    case 'touch-nodes':
      return touchNodes(app, command);
    case 'found':
      return found(app, command);
  }
};
