/** `/webhooks`: requests that the control plane sends when jobs change. */
import { idSchema, parseAs, webhookSpecSchema, webhookViewSchema } from '@mvm-ci/protocol';
import { z } from 'zod';
import { bodyOf, noBody } from './body-spec.ts';
import { noSearch, operation, value, type Operation } from './operation.ts';

const webhooks = operation({
  method: 'GET',
  route: 'webhooks',
  access: 'operator',
  summary: 'All webhooks, by name, and how far each has got.',
  body: noBody,
  search: noSearch,
  answers: z.array(webhookViewSchema),
  run: ({ core }) => value(core.webhooks.list()),
});

const setWebhook = operation({
  method: 'POST',
  route: 'webhook',
  access: 'operator',
  summary: 'Set a webhook, or replace one: it is told of changes from now on, or goes on where it was.',
  body: bodyOf(webhookSpecSchema),
  search: noSearch,
  answers: webhookViewSchema,
  run: async ({ core, parameter, body }) =>
    value(await core.webhooks.set(parseAs(idSchema, parameter, 'the name of a webhook'), body)),
});

const deleteWebhook = operation({
  method: 'POST',
  route: 'webhookDelete',
  access: 'operator',
  summary: 'Delete a webhook.',
  body: noBody,
  search: noSearch,
  answers: z.object({ deleted: z.string() }),
  run: async ({ core, parameter }) => {
    await core.webhooks.delete(parameter);
    return value({ deleted: parameter });
  },
});

/** The operations of this file. */
export const webhookOperations: readonly Operation[] = [webhooks, setWebhook, deleteWebhook];
