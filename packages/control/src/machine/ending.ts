/**
 * What the end of an attempt means for others: its children are cancelled, what waited for it goes, and who started it hears of
 * its end. Endings are worked off one after another, so that a deep tree of jobs needs no deep stack.
 */
import { isFinal, type ChildOutcome } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import { requestCancel } from './cancel.ts';
import { settleDependents, tellResultsAgain } from './dependency.ts';
import { deliver } from './inbox.ts';
import type { JobRecord } from './job-row.ts';

/** Works off the endings that a command brought, and those that they bring. */
export const settleEndings = (app: Application): void => {
  for (let ending = app.endings.shift(); ending !== undefined; ending = app.endings.shift()) {
    const { attempt, at } = ending;
    const job = app.tables.jobs.get(ending.job);
    if (job.hasChildren) cancelChildren(app, job, { attempt, at });
    if (job.inboxLast > 0) clearInbox(app, job);
    if (job.inboxLast > 0 && !isFinal(job.state)) tellResultsAgain(app, app.tables.jobs.get(job.id), at);
    if (isFinal(job.state) && job.hasDependents) settleDependents(app, job, at);
    if (isFinal(job.state) && job.parent !== null) tellParent(app, job, at);
  }
};

const cancelChildren = (
  app: Application,
  parent: JobRecord,
  { attempt, at }: { readonly attempt: number; readonly at: number },
): void => {
  const reason = `its parent, attempt ${attempt} of job ${parent.id}, is over`;
  for (const child of app.tables.jobs.unfinishedChildren(parent.id, attempt)) requestCancel(app, child, { reason, at });
};

const clearInbox = (app: Application, job: JobRecord): void => {
  if (isFinal(job.state)) {
    app.tables.inbox.deleteAll(job.number);
    app.tables.jobs.keepInboxItems(job, 0);
    return;
  }
  const deleted = app.tables.inbox.deleteOfAttempt(job.number);
  if (deleted > 0) app.tables.jobs.keepInboxItems(job, job.inboxItems - deleted);
};

const tellParent = (app: Application, child: JobRecord, at: number): void => {
  const parent = child.parent === null ? undefined : app.tables.jobs.find(child.parent);
  if (parent === undefined || isFinal(parent.state) || parent.attempt !== child.parentAttempt) return;
  deliver(app, parent, { at, body: { type: 'child', job: child.id, outcome: outcomeOf(child) } });
};

const outcomeOf = (child: JobRecord): ChildOutcome => {
  if (child.state === 'completed') return { type: 'completed', result: child.result ?? 'null' };
  if (child.state === 'cancelled') return { type: 'cancelled', reason: child.errorMessage ?? '' };
  return { type: 'failed', code: child.errorCode ?? 'WORKFLOW_FAILED', message: child.errorMessage ?? '' };
};
