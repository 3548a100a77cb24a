/**
 * Lanes: ready jobs that the same workers may take, in order. A *flow* is a key of a queue; its jobs stand in one lane for
 * each kind of job and each set of required tags. Flows that have ready jobs take turns (round robin), so that no key
 * waits for another one's backlog. Owns the tables `flows` and `lanes`, the counts of ready and running jobs, and the order
 * of turns, all of it in memory.
 *
 * 1. The counts are those of the table `jobs`: whoever saves a job tells its change here (`move`).
 * 2. The order of turns is in the tables (`turn`), written when it changes, so that a restart changes nothing (I1).
 * 3. `undo` takes back what a refused command told, after its writes were undone.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { controlLimits } from '../limits.ts';
import { number, text } from './column.ts';

/** What decides who may take a job. */
export interface JobClass {
  /** `workflow`, or `payload`. */
  readonly kind: string;
  readonly queue: string;
  /** Sorted. */
  readonly requires: readonly string[];
}

/** What decides in which lane a job stands. */
export interface LaneName extends JobClass {
  /** '' for a job without one. */
  readonly key: string;
}

/** One key of a queue. */
export interface Flow {
  readonly id: number;
  readonly queue: string;
  readonly key: string;
  readonly lanes: Lane[];
  turn: number;
  /** Jobs that could be claimed. */
  ready: number;
  /** Jobs that are held. */
  running: number;
}

/** See the head of this file. */
export interface Lane extends JobClass {
  readonly id: number;
  readonly flow: Flow;
  /** Equal for lanes of one class. */
  readonly className: string;
  ready: number;
}

/** What a job's change means for its lane: each -1, 0 or 1. */
export interface LaneMove {
  readonly ready: number;
  readonly running: number;
}

interface QueueCounts {
  ready: number;
  running: number;
  /** Ready jobs by the name of their class; no class without any. */
  readonly classes: Map<string, number>;
}

/** See the head of this file. */
export class LaneTable {
  readonly #db: DatabaseSync;
  readonly #insertFlow: StatementSync;
  readonly #insertLane: StatementSync;
  readonly #writeTurn: StatementSync;
  readonly #flows: Map<string, Flow> = new Map();
  readonly #lanes: Map<number, Lane> = new Map();
  readonly #lanesByName: Map<string, Lane> = new Map();
  /** By queue. */
  readonly #counts: Map<string, QueueCounts> = new Map();
  /** Flows with ready jobs, by turn. */
  #ring: Flow[] = [];
  #lastTurn = 0;
  #moves: (readonly [Lane, LaneMove])[] = [];
  #isTouched = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#insertFlow = db.prepare('INSERT INTO flows VALUES (?, ?, ?, 0)');
    this.#insertLane = db.prepare('INSERT INTO lanes VALUES (?, ?, ?, ?)');
    this.#writeTurn = db.prepare('UPDATE flows SET turn = ? WHERE id = ?');
    this.reload();
  }

  /** The lane of a job. @throws QUEUE_FULL when it would be one too many */
  lane(name: LaneName): Lane {
    return this.#lanesByName.get(laneText(name)) ?? this.#newLane(name);
  }

  get(id: number): Lane {
    const lane = this.#lanes.get(id);
    if (lane === undefined) throw mvmError('INTERNAL', `the database is damaged: there is no lane ${id}`);
    return lane;
  }

  /** Flows that have ready jobs, in the order of their turns. */
  turns(): readonly Flow[] {
    return this.#ring;
  }

  /** Jobs of a queue that are held. */
  running(queue: string): number {
    return this.#counts.get(queue)?.running ?? 0;
  }

  /** Jobs of a queue that could be claimed. */
  ready(queue: string): number {
    return this.#counts.get(queue)?.ready ?? 0;
  }

  /** The names of the classes of a queue that have ready jobs. */
  readyClasses(queue: string): readonly string[] {
    return [...(this.#counts.get(queue)?.classes.keys() ?? [])];
  }

  move(id: number, move: LaneMove): void {
    if (move.ready === 0 && move.running === 0) return;
    const lane = this.get(id);
    this.#moves.push([lane, move]);
    const { flow } = lane;
    const before = flow.ready;
    this.#count(lane, move);
    if (before === 0 && flow.ready > 0) this.#enter(flow);
    if (before > 0 && flow.ready === 0) this.#leave(flow);
  }

  /** The flow had its turn: it goes behind all others. */
  served(flow: Flow): void {
    if (flow.ready === 0 || this.#ring.length < 2) return;
    this.#leave(flow);
    this.#enter(flow);
  }

  /** A command begins. */
  begin(): void {
    this.#moves = [];
    this.#isTouched = false;
  }

  /** The command was refused, and its writes are undone. */
  undo(): void {
    for (const [lane, { ready, running }] of this.#moves.reverse())
      this.#count(lane, { ready: -ready, running: -running });
    if (this.#isTouched || this.#moves.length > 0) this.#readNames();
    this.begin();
  }

  /** Reads and counts what the database holds. */
  reload(): void {
    for (const lane of this.#lanes.values()) lane.ready = 0;
    for (const flow of this.#flows.values()) Object.assign(flow, { ready: 0, running: 0 });
    this.#counts.clear();
    this.#readNames();
    for (const row of this.#db.prepare('SELECT lane, count(*) AS jobs FROM jobs WHERE ready = 1 GROUP BY lane').all())
      this.#count(this.get(number(row, 'lane')), { ready: number(row, 'jobs'), running: 0 });
    for (const row of this.#db.prepare(heldSql).all())
      this.#count(this.get(number(row, 'lane')), { ready: 0, running: number(row, 'jobs') });
    this.#sortRing();
    this.begin();
  }

  #count(lane: Lane, { ready, running }: LaneMove): void {
    lane.ready += ready;
    lane.flow.ready += ready;
    lane.flow.running += running;
    const ofQueue = this.#counts.get(lane.queue) ?? { ready: 0, running: 0, classes: new Map<string, number>() };
    this.#counts.set(lane.queue, ofQueue);
    ofQueue.ready += ready;
    ofQueue.running += running;
    const ofClass = (ofQueue.classes.get(lane.className) ?? 0) + ready;
    if (ofClass === 0) ofQueue.classes.delete(lane.className);
    else ofQueue.classes.set(lane.className, ofClass);
  }

  // Alone in the ring it needs no new turn.
  #enter(flow: Flow): void {
    if (this.#ring.length > 0) this.#setTurn(flow);
    this.#ring.push(flow);
  }

  #setTurn(flow: Flow): void {
    this.#isTouched = true;
    this.#lastTurn += 1;
    flow.turn = this.#lastTurn;
    this.#writeTurn.run(flow.turn, flow.id);
  }

  #leave(flow: Flow): void {
    let [low, high] = [0, this.#ring.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ring[middle]?.turn ?? 0) < flow.turn) low = middle + 1;
      else high = middle;
    }
    this.#ring.splice(low, 1);
  }

  #newLane(name: LaneName): Lane {
    if (this.#lanes.size >= controlLimits.lanesMax) this.#dropUnused();
    if (this.#lanes.size >= controlLimits.lanesMax) {
      throw mvmError(
        'QUEUE_FULL',
        `jobs that are not over have at most ${controlLimits.lanesMax} different combinations of queue, key, kind and required tags`,
        { lanesMax: controlLimits.lanesMax },
      );
    }
    this.#isTouched = true;
    const flow = this.#flows.get(flowText(name)) ?? this.#newFlow(name);
    const id = this.#nextId('lanes');
    this.#insertLane.run(id, flow.id, name.kind, name.requires.join(' '));
    return this.#keepLane({ id, flow, ready: 0, ...classOf(name) });
  }

  #newFlow({ queue, key }: LaneName): Flow {
    const id = this.#nextId('flows');
    this.#insertFlow.run(id, queue, key);
    return this.#keepFlow({ id, queue, key, lanes: [], turn: 0, ready: 0, running: 0 });
  }

  #nextId(table: 'flows' | 'lanes'): number {
    const row = this.#db.prepare(`SELECT coalesce(max(id), 0) + 1 AS id FROM ${table}`).get();
    return row === undefined ? 1 : number(row, 'id');
  }

  #keepFlow(flow: Flow): Flow {
    this.#flows.set(flowText(flow), flow);
    return flow;
  }

  #keepLane(lane: Lane): Lane {
    lane.flow.lanes.push(lane);
    this.#lanes.set(lane.id, lane);
    this.#lanesByName.set(laneText({ ...lane, key: lane.flow.key }), lane);
    return lane;
  }

  /** Makes the lanes and flows in memory those of the tables; what stays keeps its counts. */
  #readNames(): void {
    const lanes = new Map(this.#lanes);
    const flowsById = new Map([...this.#flows.values()].map((flow) => [flow.id, flow]));
    for (const map of [this.#flows, this.#lanes, this.#lanesByName]) map.clear();
    const current = new Map<number, Flow>();
    for (const row of this.#db.prepare('SELECT * FROM flows ORDER BY id').all()) {
      const [id, turn] = [number(row, 'id'), number(row, 'turn')];
      const { ready = 0, running = 0 } = flowsById.get(id) ?? {};
      current.set(
        id,
        this.#keepFlow({ id, queue: text(row, 'queue'), key: text(row, 'key'), lanes: [], turn, ready, running }),
      );
    }
    for (const row of this.#db.prepare('SELECT * FROM lanes ORDER BY id').all()) {
      const id = number(row, 'id');
      const flow = current.get(number(row, 'flow'));
      if (flow === undefined) throw mvmError('INTERNAL', `the database is damaged: lane ${id} has no flow`);
      const requires = text(row, 'requires').split(' ').filter(Boolean);
      const jobClass = classOf({ kind: text(row, 'kind'), queue: flow.queue, requires });
      this.#keepLane({ id, flow, ready: lanes.get(id)?.ready ?? 0, ...jobClass });
    }
    this.#sortRing();
  }

  #sortRing(): void {
    this.#ring = [...this.#flows.values()]
      .filter(({ ready }) => ready > 0)
      .sort((a, b) => a.turn - b.turn || a.id - b.id);
    this.#lastTurn = [...this.#flows.values()].reduce((last, { turn }) => Math.max(last, turn), 0);
  }

  #dropUnused(): void {
    this.#isTouched = true;
    this.#db.exec(dropUnusedSql);
    this.#readNames();
  }
}

const heldSql = `
  SELECT lane, count(*) AS jobs FROM jobs WHERE state IN ('claimed', 'in_progress') GROUP BY lane`;

// The lanes of the default queue stay: they are what the schema begins with.
const dropUnusedSql = `
  DELETE FROM lanes WHERE id > 2 AND id NOT IN (
    SELECT lane FROM jobs WHERE state IN ('pending', 'claimed', 'in_progress', 'waiting'));
  DELETE FROM flows WHERE id > 1 AND id NOT IN (SELECT flow FROM lanes);`;

const flowText = ({ queue, key }: { readonly queue: string; readonly key: string }): string => `${queue}\n${key}`;
const laneText = (name: LaneName): string => `${flowText(name)}\n${name.kind}\n${name.requires.join(' ')}`;

/** A class with its name. */
export const classOf = ({ kind, queue, requires }: JobClass): JobClass & { readonly className: string } => ({
  kind,
  queue,
  requires,
  className: `${kind}\n${queue}\n${requires.join(' ')}`,
});
