import { defaultQueue, optionsOf, type JobError, type JobView } from '@mvm-ci/protocol';
import type { JobRow } from '../machine/job-row.ts';
import { neverMs } from '../machine/transition.ts';
import { isRowIntact } from './content-hash.ts';
import { isResultIntact } from './outcome-hash.ts';

/**
 * A job as the API shows it. An input or a result that is not what was stored is not shown: it is null, and `error` says
 * `JOURNAL_CORRUPT`.
 */
export const jobView = (row: JobRow): JobView => {
  const inputIntact = isRowIntact(row);
  const resultIntact = isResultIntact(row);
  return {
    job_id: row.id,
    status: row.state,
    claimed_by: row.worker,
    completed_by: row.completedBy,
    created_at: Math.floor(row.content.createdAt / 1000),
    updated_at: Math.floor(row.updatedAt / 1000),
    payload: inputIntact ? jsonValue(row.content.input) : null,
    workflow: row.content.workflow,
    // A handler is in no module.
    module: row.content.module === '' ? null : row.content.module,
    attempt: row.attempt,
    attempts_max: row.content.attemptsMax + row.attemptsForgiven,
    epoch: row.epoch,
    lost_leases: row.lostLeases,
    resumes: row.resumes,
    journal_entries: row.journalEntries,
    progress: row.progressPercent === null ? null : { percent: row.progressPercent, text: row.progressText ?? '' },
    result: resultIntact ? jsonValue(row.result) : null,
    error: inputIntact && resultIntact ? jobError(row) : damaged(inputIntact),
    created_at_ms: row.content.createdAt,
    updated_at_ms: row.updatedAt,
    run_at_ms: row.runAt === neverMs ? null : row.runAt,
    parent: row.parent,
    response: row.content.response === null ? null : { value: jsonValue(row.content.response) },
    ...queueView(row),
    deadline_at_ms: row.deadlineAt,
    change: row.change,
  };
};

const queueView = ({
  content,
}: JobRow): Pick<JobView, 'queue' | 'priority' | 'key' | 'tags' | 'requires' | 'after'> => {
  const {
    queue = defaultQueue,
    priority = 0,
    key = null,
    tags = [],
    requires = [],
    after = [],
  } = optionsOf(content.options);
  return { queue, priority, key, tags, requires, after };
};

const jsonValue = (json: string | null): unknown => (json === null ? null : JSON.parse(json));

const jobError = (row: JobRow): JobError | null =>
  row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? '' };

const damaged = (inputIntact: boolean): JobError => ({
  code: 'JOURNAL_CORRUPT',
  message: `the stored ${inputIntact ? 'result' : 'input'} does not match its hash`,
});
