/**
 * One call of a peer stream, from its request to the last byte of its answer.
 *
 *   1. It is admitted as a request is, each time: a node that is banned or changes its role is heard no more.
 *   2. When its conversation is over before the answer, the operation's signal fires.
 *   3. Nothing is thrown: a refusal is the answer.
 */
import {
  decodeCall,
  encodeCallAnswer,
  errorBody,
  mvmError,
  MvmError,
  packPieces,
  type AcceptConversation,
  type CallAnswer,
  type CallRequest,
  type Conversation,
  type ConversationEvents,
} from '@mvm-ci/protocol';
import type { Core } from '../core.ts';
import { controlLimits } from '../limits.ts';
import type { Logger } from '../logger.ts';
import { admit } from '../trust/access.ts';
import { counted } from './counted-call.ts';
import type { Operation, Outcome } from './operation.ts';
import { shown } from './response.ts';

/** The operations that can be called, by method and route. */
export type CallTable = ReadonlyMap<string, Operation>;

/** Makes the table of `operations`. */
export const callTable = (operations: readonly Operation[]): CallTable =>
  new Map(operations.map((one) => [`${one.method} ${one.route}`, one]));

/** Whose calls are served, and by what. */
export interface ServeCallsParts {
  readonly core: Core;
  readonly node: string;
  readonly table: CallTable;
  readonly logger: Logger;
}

/** Serves each conversation of a channel as a call. */
export const serveCalls =
  (parts: ServeCallsParts): AcceptConversation =>
  (conversation) =>
    new ServedCall(parts, conversation);

const messagePack = 'application/msgpack';

class ServedCall implements ConversationEvents {
  readonly #parts: ServeCallsParts;
  readonly #conversation: Conversation;
  readonly #abort = new AbortController();
  #hasRequest = false;

  constructor(parts: ServeCallsParts, conversation: Conversation) {
    this.#parts = parts;
    this.#conversation = conversation;
  }

  onMessage(message: Uint8Array): void {
    if (this.#hasRequest) {
      return this.#conversation.close(mvmError('INVALID_ARGUMENT', 'a call is one message'));
    }
    this.#hasRequest = true;
    void this.#serve(message);
  }

  onEnd(): void {
    if (!this.#hasRequest) this.#conversation.end();
  }

  onClosed(error: MvmError | undefined): void {
    // An answered call needs no signal, and firing one costs more than the rest of the call.
    if (error) this.#abort.abort(error);
  }

  async #serve(message: Uint8Array): Promise<void> {
    try {
      const request = decodeCall(message);
      const outcome = counted(this.#parts.core, this.#label(request), () => this.#invoke(request, message.length));
      await this.#answer(await outcome);
    } catch (thrown) {
      this.#refuse(thrown);
    }
    this.#conversation.end();
  }

  /** A peer may ask for any route: only those that there are get a number of their own. */
  #label({ method, route }: CallRequest): string {
    return this.#parts.table.get(`${method} ${route}`)?.route ?? 'unknown';
  }

  #invoke({ method, route, parameter = '', search, body }: CallRequest, bytes: number): Outcome | Promise<Outcome> {
    const { core, node, table, logger } = this.#parts;
    const one = table.get(`${method} ${route}`);
    if (!one) throw mvmError('ROUTE_NOT_FOUND', `there is no call "${method} ${route}"`);
    const caller = admit(core.nodes, one, { kind: 'peer', node });
    const bytesMax = one.bodyBytesMax + controlLimits.callHeadBytesMax;
    if (bytes > bytesMax) {
      throw mvmError('PAYLOAD_TOO_LARGE', `a body of this route has at most ${one.bodyBytesMax} bytes`, {
        rule: one.bodyBytesMax,
        received: bytes,
      });
    }
    const { signal } = this.#abort;
    return one.invoke({ core, caller, logger, signal, header: () => null, body, search: search ?? {}, parameter });
  }

  async #answer(outcome: Outcome): Promise<void> {
    switch (outcome.type) {
      case 'value':
        return this.#answerValue(outcome.value, outcome.headers);
      case 'nothing':
        return this.#head({ status: 204, body: null, follows: undefined, headers: undefined });
      case 'bytes':
        return this.#follow('application/octet-stream', cut(outcome.bytes));
      case 'events':
        return this.#follow('text/event-stream', outcome.stream);
      case 'stream':
        return this.#follow('application/octet-stream', outcome.stream);
      case 'text':
        return this.#follow(outcome.contentType, cut(new TextEncoder().encode(outcome.text)));
      case 'frames':
        throw mvmError('INTERNAL', 'a stream inside a stream');
    }
  }

  /** A short value is in the head; a long one follows in pieces, so that it blocks nobody. */
  async #answerValue(body: unknown, headers: Readonly<Record<string, string>> | undefined): Promise<void> {
    if (isShort(body)) return this.#head({ status: 200, body, follows: undefined, headers });
    return this.#follow(messagePack, packPieces(body, controlLimits.callPieceBytes), headers);
  }

  async #follow(
    follows: string,
    pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<void> {
    this.#head({ status: 200, body: null, follows, headers });
    for await (const piece of pieces) {
      await this.#conversation.send(piece);
      if (this.#abort.signal.aborted) return;
    }
  }

  #head(answer: CallAnswer): void {
    void this.#conversation.send(encodeCallAnswer(answer));
  }

  #refuse(thrown: unknown): void {
    if (this.#abort.signal.aborted) return;
    const error = shown(thrown);
    if (!(thrown instanceof MvmError) || thrown.code === 'INTERNAL') {
      this.#parts.logger.error({ err: thrown, peer: this.#parts.node }, 'a call failed unexpectedly');
    }
    this.#head({ status: error.status, body: errorBody(error.toRecord()), follows: undefined, headers: undefined });
  }
}

/** Whether a value is surely short: all are but journals. */
const isShort = (body: unknown): boolean => typeof body !== 'object' || body === null || !('batches' in body);

const cut = function* (bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += controlLimits.callPieceBytes) {
    yield bytes.subarray(at, at + controlLimits.callPieceBytes);
  }
};
