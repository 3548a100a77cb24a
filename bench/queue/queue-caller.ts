/** The three requests of a job's life, over whichever wire is measured. */
import {
  claimAnswerSchema,
  itemsAnswerSchema,
  parseAs,
  routePath,
  type ClaimAnswer,
  type ClaimedJob,
  type ClaimRequest,
  type FinishRequest,
  type ItemAnswer,
  type ItemsAnswer,
} from '@mvm-ci/protocol';
import { workflows } from '../guest/workflows.ts';
import type { HttpCaller } from '../http-caller.ts';

/** What publishes, claims and completes. */
export interface QueueCaller {
  /** Resolves when the jobs are durable. */
  publish(ids: readonly string[]): Promise<void>;
  claim(capacity: number, waitMs: number): Promise<readonly ClaimedJob[]>;
  /** Completes jobs. One answer per job, in order. */
  finish(jobs: readonly ClaimedJob[]): Promise<readonly ItemAnswer[]>;
}

/** The workflow that every job of this bench runs: it completes in its first step. */
const reference: string = `bench-core/${workflows.nothing}`;

const holder = 'bench';

/** Publishes over HTTP: one job by the route for one, several by the route for many. @param handler - @default a workflow */
export const publishOverHttp = async (http: HttpCaller, ids: readonly string[], handler?: string): Promise<void> => {
  const what = handler === undefined ? { workflow: reference, input: null } : { handler };
  const jobs = ids.map((id) => ({ job_id: id, ...what }));
  if (jobs.length === 1) await http.post(routePath('publish'), jobs[0]);
  else await http.post(routePath('publishMany'), { jobs });
};

/** All three requests over HTTP, as an operator may send them. */
export const httpQueueCaller = (http: HttpCaller): QueueCaller => ({
  publish: (ids) => publishOverHttp(http, ids),
  claim: async (capacity, waitMs) =>
    readClaim(await http.post(routePath('claim'), { ...claimRequest(capacity, waitMs), worker: holder })),
  finish: async (jobs) => readItems(await http.post(routePath('finish'), { ...finishRequest(jobs), worker: holder })),
});

/** A claim of this process. */
export const claimRequest = (capacity: number, waitMs: number): ClaimRequest => ({
  incarnation: holder,
  capacity,
  waitMs,
});

/** Completes `jobs` with the result null. */
export const finishRequest = (jobs: readonly ClaimedJob[]): FinishRequest => ({
  finishes: jobs.map(({ job, epoch, attempt }) => ({
    job,
    epoch,
    attempt,
    outcome: { type: 'completed', result: 'null' },
  })),
});

/** The jobs in the answer to a claim. */
export const readClaim = (body: unknown): readonly ClaimedJob[] =>
  parseAs<ClaimAnswer>(claimAnswerSchema, body, 'the answer to a claim').jobs;

/** The answers to the items of a finish. */
export const readItems = (body: unknown): readonly ItemAnswer[] =>
  parseAs<ItemsAnswer>(itemsAnswerSchema, body, 'the answer to a finish').results;
