/**
 * The store in threads of its own: one that writes, one that reads. Owns both threads and matches answers to questions.
 *
 * 1. Effects are handed out after the commit and before the replies of the same group (I2).
 * 2. When a thread ends unasked, everything that waits is refused with UNAVAILABLE, and so is all that follows.
 * 3. The commands of one turn of the event loop go to the writer in one message: what was sent together is in one transaction
 *    (but for `groupCommandsMax`), and waking a thread costs as much as a command.
 */
import { errorFromRecord, mvmError } from '@mvm-ci/protocol';
import { Worker } from 'node:worker_threads';
import { controlLimits } from '../limits.ts';
import type { Command } from '../machine/command.ts';
import { isReplyTo, type Reply, type ReplyTo } from '../machine/reply.ts';
import { isAnswerTo, type Answer, type AnswerTo, type Query } from './query.ts';
import type { CommandOf, EffectListener, GroupListener, QueryOf, Store } from './store.ts';
import { sentCommand, wholeEffects, wholeReply } from './thread-form.ts';
import { atTurnEnd } from '../system-turn.ts';
import type {
  CommandRequest,
  QueryOutcome,
  SentOutcome,
  ThreadReport,
  ThreadRequest,
  ThreadStart,
} from './thread-message.ts';

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** How to open a store. */
export interface ThreadStoreOptions {
  /** The database file; made when it isn't there. */
  readonly path: string;
  readonly onEffects: EffectListener;
  /** @default nobody counts */
  readonly onGroup?: GroupListener | undefined;
}

/**
 * Opens the database and starts its threads.
 *
 * @throws CONFIG_INVALID when a newer release has written the database
 */
export const openThreadStore = async (options: ThreadStoreOptions): Promise<Store> => {
  const writer = await startThread({ role: 'writer', path: options.path });
  const reader = await startThread({ role: 'reader', path: options.path });
  const { onEffects, onGroup = () => undefined } = options;
  return new ThreadStore({ writer, reader, onEffects, onGroup });
};

class ThreadStore implements Store {
  readonly #writer: Worker;
  readonly #reader: Worker;
  readonly #onEffects: EffectListener;
  readonly #onGroup: GroupListener;
  readonly #commands: Map<number, Waiting<Reply>> = new Map();
  readonly #queries: Map<number, Waiting<Answer>> = new Map();
  #outbox: CommandRequest[] = [];
  #lastId = 0;
  #state: 'open' | 'broken' | 'closed' = 'open';
  #closing: Promise<void> | undefined;

  constructor(parts: { writer: Worker; reader: Worker; onEffects: EffectListener; onGroup: GroupListener }) {
    this.#writer = parts.writer;
    this.#reader = parts.reader;
    this.#onEffects = parts.onEffects;
    this.#onGroup = parts.onGroup;
    this.#listen(parts.writer, this.#commands);
    this.#listen(parts.reader, this.#queries);
  }

  async apply<T extends Command['type']>(command: CommandOf<T>): Promise<ReplyTo<T>> {
    this.#demandOpen();
    if (this.#commands.size >= controlLimits.commandsWaitingMax) {
      throw mvmError('UNAVAILABLE', `${controlLimits.commandsWaitingMax} commands wait for the store already`);
    }
    const id = this.#nextId();
    const reply = await new Promise<Reply>((resolve, reject) => {
      this.#commands.set(id, { resolve, reject });
      this.#post({ id, command: sentCommand(command) });
    });
    const { type } = command;
    if (isReplyTo<T>(type, reply)) return reply;
    throw mvmError('INTERNAL', `the store answered a command "${type}" with a reply to "${reply.type}"`);
  }

  async read<T extends Query['type']>(query: QueryOf<T>): Promise<AnswerTo<T>> {
    this.#demandOpen();
    const id = this.#nextId();
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#queries.set(id, { resolve, reject });
      send(this.#reader, { type: 'query', id, query });
    });
    const { type } = query;
    if (isAnswerTo<T>(type, answer)) return answer;
    throw mvmError('INTERNAL', `the store answered a query "${type}" with an answer to "${answer.type}"`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const ended = [this.#reader, this.#writer].map((thread) => exit(thread));
    if (this.#state === 'open') {
      this.#state = 'closed';
      send(this.#reader, { type: 'close' });
      this.#flush();
      send(this.#writer, { type: 'close' });
    }
    await Promise.all(ended);
  }

  #post(request: CommandRequest): void {
    if (this.#outbox.length === 0) atTurnEnd(() => this.#flush());
    this.#outbox.push(request);
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    send(this.#writer, { type: 'commands', requests: this.#outbox });
    this.#outbox = [];
  }

  #receive(report: ThreadReport): void {
    switch (report.type) {
      case 'applied':
        this.#settleGroup(report.ids, report.outcomes);
        return this.#onGroup(report.facts);
      case 'answered':
        return settleQuery(take(this.#queries, report.id), report.outcome);
      case 'ready':
      case 'refused':
        return;
    }
  }

  #settleGroup(ids: readonly number[], outcomes: readonly SentOutcome[]): void {
    for (const outcome of outcomes) if (outcome.ok) this.#onEffects(wholeEffects(outcome.effects));
    for (const [index, id] of ids.entries()) {
      const outcome = outcomes[index];
      const waiting = take(this.#commands, id);
      if (outcome?.ok === true) waiting?.resolve(wholeReply(outcome.reply));
      else if (outcome !== undefined) waiting?.reject(errorFromRecord(outcome.error));
    }
  }

  #listen(thread: Worker, waiting: Map<number, Waiting<never>>): void {
    thread.on('message', (report: ThreadReport) => this.#receive(report));
    // An error is followed by the exit.
    thread.on('error', () => undefined);
    thread.on('exit', () => {
      if (this.#state === 'open') this.#state = 'broken';
      for (const one of waiting.values()) one.reject(mvmError('UNAVAILABLE', 'the store has stopped'));
      waiting.clear();
    });
  }

  #demandOpen(): void {
    if (this.#state !== 'open') throw mvmError('UNAVAILABLE', `the store is ${this.#state}`);
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}

const settleQuery = (waiting: Waiting<Answer> | undefined, outcome: QueryOutcome): void => {
  if (outcome.ok) waiting?.resolve(outcome.answer);
  else waiting?.reject(errorFromRecord(outcome.error));
};

const take = <T>(waiting: Map<number, T>, id: number): T | undefined => {
  const found = waiting.get(id);
  waiting.delete(id);
  return found;
};

const send = (thread: Worker, request: ThreadRequest): void => thread.postMessage(request, []);

// Beside this file, with its extension: .ts in the repository, .js when built.
const entryPoint = new URL(
  import.meta.url.endsWith('.ts') ? './database-thread.ts' : './database-thread.js',
  import.meta.url,
);

const writerLimits = { maxYoungGenerationSizeMb: controlLimits.writerYoungMib };

const startThread = (start: ThreadStart): Promise<Worker> =>
  new Promise((resolve, reject) => {
    const limits = start.role === 'writer' ? { resourceLimits: writerLimits } : {};
    const thread = new Worker(entryPoint, { workerData: start, ...limits });
    thread.once('error', reject);
    thread.once('message', (report: ThreadReport) => {
      thread.off('error', reject);
      if (report.type === 'refused') reject(errorFromRecord(report.error));
      else resolve(thread);
    });
  });

const exit = (thread: Worker): Promise<void> =>
  thread.threadId === -1 ? Promise.resolve() : new Promise((resolve) => thread.once('exit', () => resolve()));
