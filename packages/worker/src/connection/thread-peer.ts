/**
 * The control plane behind a thread of its own, as a worker calls it. Owns the thread.
 *
 *   1. A call is answered once, or rejects when the thread is gone.
 *   2. A call whose signal fires is given up here and there.
 */
import { errorFromRecord, mvmError, type CallRequest, type MvmError } from '@mvm-ci/protocol';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { LocalPeer } from '../local-control-plane.ts';
import type { ConnectionStart, FromConnection, ToConnection } from './thread-message.ts';

// Beside this file, with its extension: .ts in the repository, .js when built.
const entryPoint = new URL(
  import.meta.url.endsWith('.ts') ? './connection-thread.ts' : './connection-thread.js',
  import.meta.url,
);

/** Starts the thread. @throws TICKET_INVALID, TICKET_EXPIRED, CONFIG_INVALID */
export const openThreadPeer = async (start: ConnectionStart): Promise<LocalPeer> => {
  const thread = new Worker(entryPoint, { workerData: start });
  const peer = new ThreadPeer(thread);
  await peer.ready;
  return peer;
};

class ThreadPeer implements LocalPeer {
  readonly #thread: Worker;
  readonly #ready = Promise.withResolvers<void>();
  readonly #calls: Map<number, PromiseWithResolvers<unknown>> = new Map();
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

  call(request: CallRequest, { signal }: { readonly signal: AbortSignal }): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (signal.aborted) return Promise.reject(mvmError('CANCELLED', 'nobody waits for this call'));
    this.#lastId += 1;
    const id = this.#lastId;
    const call = Promise.withResolvers<unknown>();
    const abort = (): void => {
      this.#tell({ type: 'abort', id });
      call.reject(mvmError('CANCELLED', 'nobody waits for this call any more'));
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#calls.set(id, call);
    this.#tell({ type: 'call', id, request });
    return call.promise.finally(() => {
      this.#calls.delete(id);
      signal.removeEventListener('abort', abort);
    });
  }

  async close(): Promise<void> {
    if (this.#thread.threadId === -1) return;
    const exit = once(this.#thread, 'exit');
    this.#tell({ type: 'close' });
    await exit;
  }

  #receive(message: FromConnection): void {
    switch (message.type) {
      case 'ready':
        return this.#ready.resolve();
      case 'failed':
        return this.#end(errorFromRecord(message.error));
      case 'answer':
        return this.#calls.get(message.id)?.resolve(message.value);
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
