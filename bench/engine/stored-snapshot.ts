/** A job in a control plane's store, with its journal and a snapshot, as a worker that has claimed it goes on with it. */
import { openStandalone, type Standalone } from '@mvm-ci/control';
import { admitModule, type RunRequest, type Snapshot } from '@mvm-ci/engine';
import {
  batchEntries,
  chainHash,
  chainStart,
  checkBatches,
  claimAnswerSchema,
  encodeEntries,
  hasHead,
  headSeal,
  isSnapshotOf,
  itemsAnswerSchema,
  journalAnswerSchema,
  parseAs,
  peerProtocol,
  snapshotSeal,
  type CallRequest,
  type JournalAnswer,
  type JournalBatch,
  type JournalEntry,
} from '@mvm-ci/protocol';
import type { BenchModule } from '../guest/modules.ts';

const incarnation = 'bench';
const appendsEach = 500;

/** What is stored. */
export interface StoredRun {
  readonly data: string;
  readonly job: string;
  readonly module: BenchModule;
  readonly workflow: string;
  readonly input: string;
  readonly entries: readonly JournalEntry[];
  readonly snapshot: Snapshot;
}

/** What a run goes on from. */
export type ReadRun = Pick<RunRequest, 'journal' | 'snapshot' | 'leftOut'>;

/** See the head of this file. */
export class StoredSnapshot implements AsyncDisposable {
  readonly #alone: Standalone;
  readonly #run: StoredRun;

  private constructor(alone: Standalone, run: StoredRun) {
    this.#alone = alone;
    this.#run = run;
  }

  /** Stores all of it, in batches of two entries as a run leaves them. */
  static async open(run: StoredRun): Promise<StoredSnapshot> {
    const alone = await openStandalone({ data: run.data, admit: (file) => admitModule(file) });
    const stored = new StoredSnapshot(alone, run);
    await stored.#store();
    return stored;
  }

  /** Reads and checks what a worker does. @param tail only what the snapshot's head doesn't stand for */
  async read(tail: boolean): Promise<ReadRun> {
    const { job } = this.#run;
    const { batches, previous, snapshot } = await this.#journal(tail);
    checkBatches(previous ?? chainStart(job, 1), batches, previous && batches[0]?.firstSeq);
    if (!snapshot || !isSnapshotOf(snapshot, batches)) throw new Error('the snapshot should fit');
    const entries = batchEntries(batches);
    if (!tail) return { journal: entries, snapshot };
    if (!previous || !hasHead(snapshot)) throw new Error('a tail should have been read');
    const load = (): Promise<never> => Promise.reject(new Error('the head should suffice'));
    const journal = entries.slice(snapshot.entries - (batches[0]?.firstSeq ?? 0));
    return { journal, snapshot, leftOut: { entries: snapshot.entries, load } };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#alone.stop();
  }

  async #store(): Promise<void> {
    const { job, module, workflow, input, snapshot } = this.#run;
    const { core, token } = this.#alone;
    await core.modules.deploy({ name: module.name, version: module.version, file: module.file });
    await core.queue.publish([{ job_id: job, workflow: `${module.name}/${workflow}`, input: JSON.parse(input) }]);
    await this.#post('join', { protocol: peerProtocol, token, incarnation });
    const { jobs } = parseAs(claimAnswerSchema, await this.#post('claim', { incarnation, capacity: 1 }), 'claim');
    if (jobs.length !== 1) throw new Error('the job should have been claimed');
    const chain = await this.#append();
    const { entries, runtime, imageHash, bytes, head } = snapshot;
    if (!head) throw new Error('the snapshot should have a head');
    const state = { entries, runtime, imageHash, bytes };
    const seal = snapshotSeal(chain, state);
    const sealed = { ...state, seal, head, headSeal: headSeal(seal, head) };
    await this.#post('peerSnapshot', { job, epoch: 1, attempt: 1, snapshot: sealed });
  }

  /** @returns the hash of the last batch */
  async #append(): Promise<Uint8Array> {
    const { job, entries } = this.#run;
    const lease = { job, epoch: 1 };
    let previous = chainStart(job, 1);
    let batches: JournalBatch[] = [];
    for (let firstSeq = 0; firstSeq < entries.length; firstSeq += 2) {
      const some = entries.slice(firstSeq, firstSeq + 2);
      const batch = { firstSeq, count: some.length, bytes: encodeEntries(some) };
      previous = chainHash(previous, batch);
      batches.push({ ...batch, hash: previous });
      if (batches.length < appendsEach && firstSeq + 2 < entries.length) continue;
      const appends = batches.map((one) => ({ ...lease, attempt: 1, ...one }));
      const { results } = parseAs(itemsAnswerSchema, await this.#post('append', { appends }), 'append');
      if (!results.every(({ ok }) => ok)) throw new Error('the journal should have been stored');
      batches = [];
    }
    return previous;
  }

  async #journal(tail: boolean): Promise<JournalAnswer> {
    const search = { epoch: 1, ...(tail && { tail: 1 }) };
    const request = { method: 'GET', route: 'peerJournal', parameter: this.#run.job, search } as const;
    return parseAs(journalAnswerSchema, await this.#call(request), 'the journal');
  }

  #post(route: CallRequest['route'], body: unknown): Promise<unknown> {
    return this.#call({ method: 'POST', route, body });
  }

  #call(request: CallRequest): Promise<unknown> {
    return this.#alone.call(request, { signal: AbortSignal.timeout(60_000) });
  }
}
