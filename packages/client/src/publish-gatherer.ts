/**
 * Publishes that are asked for at the same time, gathered into few requests: a request costs both sides more than a job.
 *
 *   1. What is asked for in one turn of the event loop goes together. While `publishRequestsMax` requests are under way, what comes
 *      waits until one of them is answered, and then goes together. Alone a job waits for nobody.
 *   2. Jobs that go together are stored all or not at all. When they are refused, each half is asked for again, so that in the end
 *      every caller hears of its own job, and no job suffers from another's fault.
 *   3. When a queue is full for one of them, it is full for those behind it that are for the same queue: they hear the same, unasked.
 *   4. What concerns the control plane (it can't be reached, or lets nobody in) all of them hear.
 */
import { mvmError, MvmError, routePath, type Published, type PublishJob } from '@mvm-ci/protocol';
import { publishedManySchema, publishedSchema } from './answer.ts';
import type { Connection } from './connection.ts';
import { clientLimits } from './limits.ts';

interface Waiting {
  /** The job as JSON. */
  readonly text: string;
  /** That it is for; undefined: the default one. */
  readonly queue: string | undefined;
  readonly resolve: (published: Published) => void;
  readonly reject: (error: unknown) => void;
}

/** See the head of this file. */
export class PublishGatherer {
  readonly #connection: Connection;
  /** In the order in which they were asked for. */
  readonly #waiting: Waiting[] = [];
  #underWay = 0;
  #isDue = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Publishes `job`, which has an id: a request whose answer got lost is repeated. @throws {MvmError} as `Client.publish` */
  async publish(job: PublishJob): Promise<Published> {
    const text = JSON.stringify(job);
    const { promise, resolve, reject } = Promise.withResolvers<Published>();
    this.#waiting.push({ text, queue: job.queue, resolve, reject });
    this.#plan();
    return promise;
  }

  #plan(): void {
    if (this.#isDue || this.#waiting.length === 0 || this.#underWay >= clientLimits.publishRequestsMax) return;
    this.#isDue = true;
    atTurnEnd(() => {
      this.#isDue = false;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    this.#underWay += 1;
    await this.#deliver(this.#take(), new Map());
    this.#underWay -= 1;
    this.#plan();
  }

  #take(): readonly Waiting[] {
    const { publishTogetherMax: jobsMax, publishTogetherChars: charsMax } = clientLimits;
    let chars = 0;
    const tooMany = this.#waiting.findIndex(({ text }, index) => {
      chars += text.length;
      return index > 0 && (index >= jobsMax || chars > charsMax);
    });
    return this.#waiting.splice(0, tooMany < 0 ? this.#waiting.length : tooMany);
  }

  /** Tells each of `jobs` its answer; `full` are the queues of rule 3. Never rejects. */
  async #deliver(asked: readonly Waiting[], full: FullQueues): Promise<void> {
    for (const { queue, reject } of asked) if (full.has(queue)) reject(full.get(queue));
    const jobs = asked.filter(({ queue }) => !full.has(queue));
    if (jobs.length === 0) return;
    try {
      const answers = await this.#publishAll(jobs);
      for (const [index, { resolve, reject }] of jobs.entries()) {
        const answer = answers[index];
        if (answer === undefined) reject(mvmError('INTERNAL', `${jobs.length} jobs got ${answers.length} answers`));
        else resolve(answer);
      }
    } catch (error) {
      const [first] = jobs;
      if (jobs.length === 1 && isFull(error)) full.set(first?.queue, error);
      if (jobs.length === 1 || !isOfOneJob(error)) return jobs.forEach(({ reject }) => reject(error));
      const middle = jobs.length >> 1;
      await this.#deliver(jobs.slice(0, middle), full);
      await this.#deliver(jobs.slice(middle), full);
    }
  }

  async #publishAll(jobs: readonly Waiting[]): Promise<readonly Published[]> {
    const [first] = jobs;
    if (jobs.length === 1 && first !== undefined) {
      const request = { method: 'POST', json: first.text } as const;
      return [await this.#connection.call(routePath('publish'), publishedSchema, request)];
    }
    const request = { method: 'POST', json: `{"jobs":[${jobs.map(({ text }) => text).join(',')}]}` } as const;
    return (await this.#connection.call(routePath('publishMany'), publishedManySchema, request)).jobs;
  }
}

/** Queues that had no room, and what was said of it. */
type FullQueues = Map<string | undefined, unknown>;

const isFull = (error: unknown): boolean => error instanceof MvmError && error.code === 'QUEUE_FULL';

/** Whether a refusal may be the fault of one job among many: neither of the way to the control plane nor of its gate. */
const isOfOneJob = (error: unknown): boolean =>
  error instanceof MvmError && error.status !== 401 && error.status !== 403 && error.status <= 500;

/** Calls `run` when what is due in this turn of the event loop has run. Browsers know no such moment: there it is soon. */
const atTurnEnd = (run: () => void): void => {
  if (typeof setImmediate === 'function') setImmediate(run);
  else queueMicrotask(run);
};
