/** `set-queue`: changes what is set for a queue. */
import { mvmError, queueSettingsSchema, type QueueSettings } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Application } from './application.ts';
import type { SetQueueCommand } from './command.ts';
import { noteRunAt } from './effects.ts';
import { countLeft } from './pick.ts';
import type { ReplyTo } from './reply.ts';

/** @throws QUEUE_FULL when too many queues have settings */
export const setQueue = (app: Application, { queue, change, at }: SetQueueCommand): ReplyTo<'set-queue'> => {
  const { queues } = app.tables;
  if (queues.isPlain(queue) && queues.names().length >= controlLimits.queuesMax) {
    throw mvmError('QUEUE_FULL', `at most ${controlLimits.queuesMax} queues have settings`);
  }
  const settings = changed(queues.settings(queue), change);
  queues.set(queue, settings);
  // It may be that more can be claimed now.
  if (!countLeft(app, at)) noteRunAt(app.effects, at);
  return { type: 'set-queue', settings };
};

const changed = (settings: QueueSettings, change: SetQueueCommand['change']): QueueSettings => {
  const merged = Object.entries({ ...settings, ...change }).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  return queueSettingsSchema.parse(Object.fromEntries(merged));
};
