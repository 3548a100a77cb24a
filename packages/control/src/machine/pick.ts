/**
 * Which jobs a claim gets: flows that have ready jobs take turns, and within a flow the lowest rank goes first. A flow has
 * a turn when the worker may take a job of it, its queue is open, and no limit of its queue or key is full.
 */
import { controlLimits } from '../limits.ts';
import type { Application } from './application.ts';
import { noteLeft, noteReady, noteRunAt } from './effects.ts';
import type { JobRow } from './job-row.ts';
import type { Flow, JobClass, Lane } from './lane-table.ts';

/** What a worker says that it can do. */
export interface Ability {
  /** Kinds of jobs. */
  readonly kinds: readonly string[];
  readonly tags: readonly string[];
  /** Null: of all queues. */
  readonly queues: readonly string[] | null;
}

/** Whether a worker that can do this may take jobs of a class. */
export const canServe = (ability: Ability, { kind, queue, requires }: JobClass): boolean =>
  ability.kinds.includes(kind) &&
  (ability.queues === null || ability.queues.includes(queue)) &&
  requires.every((tag) => ability.tags.includes(tag));

/** How many jobs of a flow may be claimed at `at`: what its limits leave. */
export const flowRoom = (app: Application, flow: Flow, at: number): number => {
  const { queues, lanes } = app.tables;
  const { queue } = flow;
  if (queues.isPlain(queue)) return Infinity;
  if (queues.mode(queue) === 'paused') return 0;
  const [own, ofKey] = [{ queue, key: null }, keyScope(flow)];
  const { concurrency = Infinity } = queues.limits(own);
  const room = Math.min(concurrency - lanes.running(queue), queues.rateRoom(own, at));
  if (ofKey === null) return Math.max(room, 0);
  const { concurrency: keyConcurrency = Infinity } = queues.limits(ofKey);
  return Math.max(Math.min(room, keyConcurrency - flow.running, queues.rateRoom(ofKey, at)), 0);
};

/** When the rates of a flow that has no room allow a claim; null when they are not what stands against it. */
const flowOpensAt = (app: Application, flow: Flow, at: number): number | null => {
  const { queues } = app.tables;
  const scopes = [{ queue: flow.queue, key: null }, ...[keyScope(flow) ?? []].flat()];
  const opensAt = Math.max(...scopes.map((scope) => queues.rateOpensAt(scope, at)));
  return opensAt > at ? opensAt : null;
};

const keyScope = ({ queue, key }: Flow): { readonly queue: string; readonly key: string } | null =>
  key === '' ? null : { queue, key };

/** What a claim asks for, and how what it gets is taken. */
export interface Picking {
  readonly ability: Ability;
  readonly at: number;
  /** Takes a job; false when no more is wanted. */
  readonly take: (row: JobRow) => boolean;
}

/** What a round of turns came upon. */
interface Round {
  /** Flows that may have a turn. */
  readonly flows: readonly Flow[];
  /** The earliest time at which a rate lets a flow have one. */
  readonly opensAt: number | null;
}

/** Gives up to `count` jobs. @returns when a rate opens that stood against more, Unix ms */
export const pick = (app: Application, picking: Picking, count: number): number | null => {
  let left = count;
  while (left > 0) {
    const round = flowsWithTurn(app, picking, left);
    if (round.flows.length === 0) return round.opensAt;
    const share = Math.ceil(left / round.flows.length);
    for (const flow of round.flows) {
      const wanted = Math.min(share, left, flowRoom(app, flow, picking.at));
      const taken = takeOf(app, picking, { flow, count: wanted });
      left -= taken.count;
      if (taken.isEnough) return null;
    }
  }
  return null;
};

const flowsWithTurn = (app: Application, { ability, at }: Picking, count: number): Round => {
  const flows: Flow[] = [];
  let opensAt: number | null = null;
  for (const flow of app.tables.lanes.turns()) {
    if (flows.length === count) break;
    if (!flow.lanes.some((lane) => lane.ready > 0 && canServe(ability, lane))) continue;
    if (flowRoom(app, flow, at) > 0) flows.push(flow);
    else opensAt = earlier(opensAt, flowOpensAt(app, flow, at));
  }
  return { flows, opensAt };
};

const earlier = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);

const takeOf = (
  app: Application,
  picking: Picking,
  { flow, count }: { readonly flow: Flow; readonly count: number },
): { readonly count: number; readonly isEnough: boolean } => {
  const lanes = flow.lanes.filter((lane) => lane.ready > 0 && canServe(picking.ability, lane));
  let taken = 0;
  let isEnough = false;
  while (taken < count && !isEnough) {
    const rows = firstRows(app, lanes, Math.min(count - taken, controlLimits.claimRowsRead));
    if (rows.length === 0) break;
    const some = app.tables.jobs.saveTogether(() => takeFirst(rows, picking));
    taken += some;
    isEnough = some < rows.length;
  }
  countClaims(app, flow, { at: picking.at, count: taken });
  return { count: taken, isEnough };
};

/** Takes rows until no more is wanted. @returns how many */
const takeFirst = (rows: readonly JobRow[], { take }: Picking): number => {
  const unwanted = rows.findIndex((row) => !take(row));
  return unwanted === -1 ? rows.length : unwanted;
};

const firstRows = (app: Application, lanes: readonly Lane[], count: number): readonly JobRow[] => {
  const { jobs } = app.tables;
  const [only] = lanes;
  if (lanes.length === 1 && only !== undefined) return jobs.ready(only.id, count);
  return lanes
    .flatMap((lane) => jobs.ready(lane.id, count))
    .sort((a, b) => a.rank - b.rank || a.number - b.number)
    .slice(0, count);
};

/** Claims of a flow count for its turns and its rates. */
export const countClaims = (
  app: Application,
  flow: Flow,
  use: { readonly at: number; readonly count: number },
): void => {
  if (use.count === 0) return;
  const { queues, lanes } = app.tables;
  lanes.served(flow);
  if (queues.isPlain(flow.queue)) return;
  queues.use({ queue: flow.queue, key: null }, use);
  const ofKey = keyScope(flow);
  if (ofKey !== null) queues.use(ofKey, use);
};

/**
 * Counts what can still be claimed after a claim, so that others who wait are asked, and no more of them than needed.
 *
 * @returns whether it looked at all flows
 */
export const countLeft = (app: Application, at: number): boolean => {
  let seen = 0;
  for (const flow of app.tables.lanes.turns()) {
    seen += 1;
    if (seen > controlLimits.flowsCounted) return false;
    const room = flowRoom(app, flow, at);
    if (room === 0) continue;
    for (const lane of flow.lanes)
      if (lane.ready > 0 && isWaitedFor(lane)) noteLeft(app.effects, lane, Math.min(lane.ready, room));
  }
  return true;
};

/**
 * Notes a job of each class of a queue that can have a turn, as a limit has room again: who waits for the first one in line may be
 * nobody.
 */
export const noteRoom = (app: Application, queue: string, at: number): void => {
  const missing = new Set(app.tables.lanes.readyClasses(queue));
  let seen = 0;
  for (const flow of app.tables.lanes.turns()) {
    if (missing.size === 0) return;
    if (flow.queue !== queue) continue;
    seen += 1;
    // Others who wait look for themselves.
    if (seen > controlLimits.flowsCounted) return noteRunAt(app.effects, at);
    if (flowRoom(app, flow, at) === 0) continue;
    for (const lane of flow.lanes)
      if (lane.ready > 0 && missing.delete(lane.className) && isWaitedFor(lane)) noteReady(app.effects, lane);
  }
};

// Nobody waits for a payload job: a bare claim is answered at once.
const isWaitedFor = ({ kind }: Lane): boolean => kind !== 'payload';
