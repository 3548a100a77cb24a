import { idSchema, jobStates, limits, type JobFilter, type JobState } from '@mvm-ci/protocol';
import { z } from 'zod';

/** A state in our form or in the seed's (`InProgress`); undefined when it is none. */
export const seedState = (text: string): JobState | undefined => {
  const snake = text.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
  return jobStates.find((state) => state === snake);
};

const refuseState = (text: string, context: z.RefinementCtx): never => {
  context.addIssue({ code: 'custom', message: `a state is one of ${jobStates.join(', ')}, or live`, input: text });
  return z.NEVER;
};

const stateSchema = z
  .string()
  .transform((text, context): JobState | 'live' =>
    text === 'live' ? text : (seedState(text) ?? refuseState(text, context)),
  );
const label = z.string().min(1).max(limits.idCharsMax);
const time = z.coerce.number().int().min(0).max(limits.timeMsMax);

/** The shape of a filter, for a query string or a body. */
export const jobFilterShape: { readonly [K in keyof JobFilter]-?: z.ZodType<JobFilter[K]> } = {
  state: stateSchema.optional(),
  module: idSchema.optional(),
  queue: idSchema.optional(),
  key: label.optional(),
  tag: idSchema.optional(),
  error: label.optional(),
  since_ms: time.optional(),
  until_ms: time.optional(),
};
