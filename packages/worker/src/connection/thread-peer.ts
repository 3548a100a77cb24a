/**
 * The control plane behind a thread of its own, as a worker calls it. Owns the thread.
 *
 *   1. A call is answered once, or rejects when the thread is gone.
 *   2. A call whose signal fires is given up here and there.
 */
import { errorFromRecord, mvmError, type MvmError } from '@mvm-ci/protocol';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ControlPlane, OpenControlPlane } from '../control-plane.ts';
import type {
  AnswerOf,
  ConnectionAnswer,
  ConnectionCall,
  ConnectionMethod,
  ConnectionStart,
  FromConnection,
  ToConnection,
} from './thread-message.ts';

// Beside this file, with its extension: .ts in the repository, .js when built.
const entryPoint = new URL(
  import.meta.url.endsWith('.ts') ? './connection-thread.ts' : './connection-thread.js',
  import.meta.url,
);

/** Starts the thread. @throws TICKET_INVALID, TICKET_EXPIRED, CONFIG_INVALID */
export const openThreadPeer = async (start: ConnectionStart): Promise<OpenControlPlane> => {
  const thread = new Worker(entryPoint, { workerData: start });
  const peer = new ThreadPeer(thread);
  await peer.ready;
  return peer;
};

class ThreadPeer implements OpenControlPlane {
  readonly controlPlane: ControlPlane = {
    join: async (request, { signal }) => (await this.#ask('join', { method: 'join', request }, signal)).value,
    leave: async (request, { signal }) => (await this.#ask('leave', { method: 'leave', request }, signal)).value,
    claim: async (request, { signal }) => (await this.#ask('claim', { method: 'claim', request }, signal)).value,
    heartbeat: async (request, { signal }) =>
      (await this.#ask('heartbeat', { method: 'heartbeat', request }, signal)).value,
    append: async (request, { signal }) => (await this.#ask('append', { method: 'append', request }, signal)).value,
    finish: async (request, { signal }) => (await this.#ask('finish', { method: 'finish', request }, signal)).value,
    inbox: async (request, { signal }) => (await this.#ask('inbox', { method: 'inbox', request }, signal)).value,
    journal: async (request, { signal }) => (await this.#ask('journal', { method: 'journal', request }, signal)).value,
    snapshot: () => notOfHandlers('snapshot'),
    errand: () => notOfHandlers('errand'),
    errandJournal: () => notOfHandlers('errandJournal'),
    module: () => notOfHandlers('module'),
    putBlob: () => notOfHandlers('putBlob'),
    blob: () => notOfHandlers('blob'),
  };
  readonly #thread: Worker;
  readonly #ready = Promise.withResolvers<void>();
  readonly #calls: Map<number, PromiseWithResolvers<ConnectionAnswer>> = new Map();
  #lastId = 0;
  #gone: MvmError | undefined;

  constructor(thread: Worker) {
    this.#thread = thread;
    thread.on('message', (message: FromConnection) => this.#receive(message));
    // An error is followed by the exit.
    thread.on('error', (error: Error) =>
      this.#end(mvmError('INTERNAL', `the connection's thread failed: ${error.message}`)),
    );
    thread.on('exit', () => this.#end(mvmError('CONNECTION_LOST', 'the connection is closed')));
  }

  /** When it can be called. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  async close(): Promise<void> {
    if (this.#thread.threadId === -1) return;
    const exit = once(this.#thread, 'exit');
    this.#tell({ type: 'close' });
    await exit;
  }

  async #ask<Method extends ConnectionMethod>(
    method: Method,
    call: ConnectionCall,
    signal: AbortSignal,
  ): Promise<AnswerOf<Method>> {
    const answer = await this.#answer(call, signal);
    if (isAnswerOf(method, answer)) return answer;
    throw mvmError('INTERNAL', `the connection's thread answered ${method} with an answer to ${answer.method}`);
  }

  #answer(asked: ConnectionCall, signal: AbortSignal): Promise<ConnectionAnswer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (signal.aborted) return Promise.reject(mvmError('CANCELLED', 'nobody waits for this call'));
    this.#lastId += 1;
    const id = this.#lastId;
    const call = Promise.withResolvers<ConnectionAnswer>();
    const abort = (): void => {
      this.#tell({ type: 'abort', id });
      call.reject(mvmError('CANCELLED', 'nobody waits for this call any more'));
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#calls.set(id, call);
    this.#tell({ type: 'call', id, call: asked });
    return call.promise.finally(() => {
      this.#calls.delete(id);
      signal.removeEventListener('abort', abort);
    });
  }

  #receive(message: FromConnection): void {
    switch (message.type) {
      case 'ready':
        return this.#ready.resolve();
      case 'failed':
        return this.#end(errorFromRecord(message.error));
      case 'answer':
        return this.#calls.get(message.id)?.resolve(message.answer);
      case 'refusal':
        return this.#calls.get(message.id)?.reject(errorFromRecord(message.error));
    }
  }

  #end(error: MvmError): void {
    this.#gone ??= error;
    this.#ready.reject(this.#gone);
    for (const call of this.#calls.values()) call.reject(this.#gone);
  }

  #tell(message: ToConnection): void {
    this.#thread.postMessage(message);
  }
}

const isAnswerOf = <Method extends ConnectionMethod>(
  method: Method,
  answer: ConnectionAnswer,
): answer is AnswerOf<Method> => answer.method === method;

const notOfHandlers = (what: keyof ControlPlane): Promise<never> =>
  Promise.reject(mvmError('INTERNAL', `a worker of handlers does not call "${what}"`));
