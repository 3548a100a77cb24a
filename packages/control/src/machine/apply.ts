/**
 * The state machine (I1): one command in, a reply and effects out. It reads no clock, no randomness, no environment, and
 * knows nothing of transactions: the caller wraps it (`store/group-commit.ts`).
 */
import { append } from './append.ts';
import type { Application } from './application.ts';
import { cancel } from './cancel.ts';
import { claim, claimBare } from './claim.ts';
import { compact } from './compact.ts';
import type { Command, MembershipCommand } from './command.ts';
import { deploy } from './deploy.ts';
import { noEffects, type Effects } from './effects.ts';
import { settleEndings } from './ending.ts';
import { expire } from './expire.ts';
import { finish } from './finish.ts';
import { sendMessage } from './inbox.ts';
import { allowNode, banNode, found, join, renameNode, touchNodes } from './membership.ts';
import { publish } from './publish.ts';
import { repin } from './repin.ts';
import { report } from './report.ts';
import type { Reply } from './reply.ts';
import type { Tables } from './tables.ts';
import { createTicket, revokeTicket } from './ticket.ts';

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
    case 'report':
      return report(app, command);
    case 'cancel':
      return cancel(app, command);
    case 'send-message':
      return sendMessage(app, command);
    case 'deploy':
      return deploy(app, command);
    case 'compact':
      return compact(app, command);
    case 'repin':
      return repin(app, command);
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
