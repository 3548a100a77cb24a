/** `set-webhook`, `delete-webhook`, `advance-webhook`: who is told of changes, and how far that has got. */
import { mvmError } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import type { AdvanceWebhookCommand, DeleteWebhookCommand, SetWebhookCommand } from './command.ts';
import type { ReplyTo } from './reply.ts';

/** A new one is told of what changes from now on; one that is replaced goes on where it was. @throws QUEUE_FULL */
export const setWebhook = (app: Application, command: SetWebhookCommand): ReplyTo<'set-webhook'> => {
  const { name, spec, webhooksMax } = command;
  const { webhooks, counters } = app.tables;
  const known = webhooks.find(name);
  if (known === undefined && webhooks.count() >= webhooksMax)
    throw mvmError('QUEUE_FULL', `there are at most ${webhooksMax} webhooks`, { webhooksMax });
  const fresh = { change: counters.get('change'), dropped: 0 };
  return { type: 'set-webhook', webhook: webhooks.put({ ...fresh, ...known, name, spec, error: null }) };
};

/** @throws WEBHOOK_NOT_FOUND */
export const deleteWebhook = (app: Application, { name }: DeleteWebhookCommand): ReplyTo<'delete-webhook'> => {
  app.tables.webhooks.get(name);
  app.tables.webhooks.delete(name);
  return { type: 'delete-webhook' };
};

/** @throws WEBHOOK_NOT_FOUND when it was deleted meanwhile */
export const advanceWebhook = (app: Application, command: AdvanceWebhookCommand): ReplyTo<'advance-webhook'> => {
  const { webhooks } = app.tables;
  const known = webhooks.get(command.name);
  const { change, dropped, error } = command;
  const webhook = { ...known, change: Math.max(known.change, change), dropped: known.dropped + dropped, error };
  return { type: 'advance-webhook', webhook: webhooks.put(webhook) };
};
