import { handlerPrefix, mvmError, optionsOf } from '@mvm-ci/protocol';
import type { JobClass } from '../machine/lane-table.ts';
import { canServe } from '../machine/pick.ts';
import type { WhyFacts } from '../store/why-facts.ts';
import type { AbleWorker } from './worker-abilities.ts';

/** Demands that a worker that works at the moment may take a job. @throws WORKER_UNSUITABLE with what it lacks */
export const demandFit = (worker: string, able: AbleWorker | undefined, { row, queue }: WhyFacts): void => {
  const { module, entry, options } = row.content;
  const { requires = [] } = optionsOf(options);
  const kind = module === '' ? `${handlerPrefix}${entry ?? ''}` : 'workflow';
  const reason = able ? misfit(able, { kind, queue, requires }) : 'has not asked for jobs lately';
  if (reason === undefined) return;
  const lacks = requires.filter((tag) => able?.tags.includes(tag) === false);
  throw mvmError('WORKER_UNSUITABLE', `job "${row.id}" can't be moved to worker ${worker}, which ${reason}`, {
    job_id: row.id,
    worker,
    lacks,
  });
};

const misfit = (able: AbleWorker, wanted: JobClass): string | undefined => {
  if (canServe(able, wanted)) return undefined;
  const lacks = wanted.requires.filter((tag) => !able.tags.includes(tag));
  if (lacks.length > 0) return `lacks the tags ${lacks.join(', ')}`;
  return able.kinds.includes(wanted.kind) ? `does not serve the queue "${wanted.queue}"` : 'runs other kinds of jobs';
};
