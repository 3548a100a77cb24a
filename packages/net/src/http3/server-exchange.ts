/**
 * One request at the server, from its head to the end of its response. Owns both halves of the stream.
 *
 *   1. `run` never rejects. It ends when the response is written or given up, and the handler has returned.
 *   2. When the peer leaves or cancels, `request.signal` fires and the response's body is cancelled, at once.
 *   3. Each wait for the peer has a deadline; a miss closes the connection, as nothing else frees the hung call.
 *   4. What the handler throws becomes a response; what the peer does wrong fails the stream, or the connection.
 */
import { asMvmError, mvmError, MvmError } from '@mvm-ci/protocol';

import { joinBytes } from '../bytes.ts';
import type { Clock } from '../clock.ts';
import { netLimits } from '../limits.ts';
import type { BidirectionalStream } from '../peer-connection.ts';
import { bodyStream } from './body-stream.ts';
import { Http3Error, type Http3Code } from './error.ts';
import { requestStreamRules } from './frame-decoder.ts';
import { malformed, readRequestHead, responseLines, type RequestHead } from './message-head.ts';
import { lengthTrailer, MessageReader } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';

/** Who sent a request: `nodeId` is proven by the handshake. */
export interface RequestPeer {
  readonly nodeId: string;
}

/** Answers a request. `request.signal` fires when the peer leaves or gives the request up. */
export type Http3Handler = (request: Request, peer: RequestPeer) => Promise<Response> | Response;

/** What an exchange needs from its connection. */
export interface ExchangeContext {
  readonly handler: Http3Handler;
  readonly peer: RequestPeer;
  readonly clock: Clock;
  readonly requestBodyBytesMax: number;
  readonly endlessPaths: ReadonlySet<string>;
  readonly requestHeadMs: number;
  readonly bodyIdleMs: number;
  /** Closes the connection because of what was thrown. */
  readonly fail: (thrown: unknown) => void;
  /** Told of what a handler threw that is none of our errors. */
  readonly onHandlerError: (thrown: unknown, request: Request) => void;
}

const rules = requestStreamRules('server', netLimits.fieldSectionBytesMax);

export class ServerExchange {
  readonly #context: ExchangeContext;
  readonly #reader: MessageReader;
  readonly #writer: MessageWriter;
  readonly #abort = new AbortController();
  #bodyReader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** The "100 Continue" that a body was asked for with; the response waits for it. */
  #continued: Promise<void> | undefined;
  #hasResponded = false;
  #bodyError: Http3Error | undefined;
  /** What the peer is told when the rest of its request isn't read. */
  #releaseCode: Http3Code = 'H3_NO_ERROR';

  constructor(stream: BidirectionalStream, context: ExchangeContext) {
    this.#context = context;
    this.#reader = new MessageReader(stream.receive, rules);
    this.#writer = new MessageWriter(stream.send, async (write) =>
      this.#within(context.bodyIdleMs, 'the peer to take the response', write),
    );
  }

  async run(): Promise<void> {
    try {
      const head = await this.#within(this.#context.requestHeadMs, 'the head of a request', this.#reader.head());
      await this.#answer(readRequestHead(head));
    } catch (thrown) {
      this.#giveUp(thrown);
    }
    await this.#releaseReader();
  }

  /** The peer left or gave the request up: nobody waits for the response. Idempotent. */
  cancel(reason: MvmError, code: Http3Code = 'H3_REQUEST_CANCELLED'): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(reason);
    this.#bodyReader?.cancel(reason).catch(() => undefined);
    void this.#writer.reset(code);
  }

  async #answer(head: RequestHead): Promise<void> {
    this.#reader.expectBody(head.bodyBytes, head.headers);
    if (this.#abort.signal.aborted) return;
    const request = this.#request(head);
    const response = await this.#handle(request, head);
    if (this.#abort.signal.aborted) {
      await response.body?.cancel(this.#abort.signal.reason);
      return;
    }
    await this.#respond(response, head.method);
  }

  #request(head: RequestHead): Request {
    const hasBody = head.method !== 'GET' && head.method !== 'HEAD' && head.bodyBytes !== 0;
    const init: RequestInit = { method: head.method, headers: head.headers, signal: this.#abort.signal };
    const body = hasBody ? { body: this.#requestBody(head), duplex: 'half' as const } : {};
    try {
      return new Request(`${head.scheme}://${head.authority}${head.path}`, { ...init, ...body });
    } catch (thrown) {
      // Its parts were good, so the whole is none that `fetch` knows: an authority such as "a:b", the method TRACE.
      throw malformed(String(thrown));
    }
  }

  #requestBody(head: RequestHead): ReadableStream<Uint8Array<ArrayBuffer>> {
    const { endlessPaths, requestBodyBytesMax, bodyIdleMs } = this.#context;
    const isEndless = endlessPaths.has(head.path);
    const bytesMax = isEndless ? Infinity : requestBodyBytesMax;
    const idleMs = isEndless ? Infinity : bodyIdleMs;
    let received = 0;
    let isAwaited = head.headers.get('expect') === '100-continue';
    return bodyStream({
      next: async () => {
        if (isAwaited) await this.#continue();
        isAwaited = false;
        const piece = await this.#within(idleMs, 'the body of a request', this.#piece());
        received += piece?.length ?? 0;
        if (received > bytesMax) throw tooLarge(bytesMax);
        return piece;
      },
      cancel: () => undefined,
    });
  }

  /** A violation fails the connection or the request, whatever the handler makes of the body's error. */
  async #piece(): Promise<Uint8Array | undefined> {
    try {
      return await this.#reader.piece();
    } catch (thrown) {
      this.#failIfConnection(thrown);
      if (thrown instanceof Http3Error) this.#bodyError = thrown;
      throw thrown;
    }
  }

  /** The handler wants the body of a client that asked before it sends it (RFC 9110 section 10.1.1). */
  async #continue(): Promise<void> {
    this.#continued ??= this.#hasResponded ? Promise.resolve() : this.#writer.interim(100);
    await this.#continued;
  }

  async #handle(request: Request, head: RequestHead): Promise<Response> {
    const { handler, peer, requestBodyBytesMax, onHandlerError } = this.#context;
    try {
      if ((head.bodyBytes ?? 0) > requestBodyBytesMax) throw tooLarge(requestBodyBytesMax);
      return await handler(request, peer);
    } catch (thrown) {
      if (this.#bodyError) throw this.#bodyError;
      if (!(thrown instanceof MvmError)) onHandlerError(thrown, request);
      return errorResponse(thrown);
    }
  }

  async #respond(response: Response, method: string): Promise<void> {
    this.#hasResponded = true;
    await this.#continued;
    const { status, body } = response;
    // A copy: the headers of a response may be immutable.
    const headers = new Headers(response.headers);
    if (!body || method === 'HEAD') {
      await body?.cancel();
      await this.#writer.start(responseLines(status, headers));
      return this.#writer.finish({ withLength: false });
    }
    const reader = body.getReader();
    this.#bodyReader = reader;
    const { pieces, pending } = await this.#firstPieces(reader);
    const whole = joinBytes(pieces);
    if (!pending) headers.set('content-length', String(whole.length));
    const isLengthKnown = headers.has('content-length');
    if (!isLengthKnown) headers.set('trailer', lengthTrailer);
    await this.#writer.start(responseLines(status, headers), whole);
    if (pending) await this.#pump(reader, pending);
    await this.#writer.finish({ withLength: !isLengthKnown });
  }

  /**
   * What a body gives without waiting. A buffered body is whole after a turn of the event loop and leaves in one write;
   * from a streamed one a read stays pending.
   */
  async #firstPieces(
    reader: ReadableStreamDefaultReader<Uint8Array>,
  ): Promise<{ pieces: Uint8Array[]; pending?: Promise<PieceResult> }> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const turn = this.#context.clock.nextTurn();
    for (;;) {
      const pending = reader.read();
      const result = await Promise.race([pending, turn]);
      if (!result) return { pieces, pending };
      if (result.done) return { pieces };
      pieces.push(result.value);
      bytes += result.value.length;
      // One large piece may be all of it; after several, the rest is better sent than gathered.
      const isLarge = pieces.length > 1 && bytes > netLimits.joinedWriteBytesMax;
      if (isLarge) return { pieces, pending: reader.read() };
    }
  }

  async #pump(reader: ReadableStreamDefaultReader<Uint8Array>, first: Promise<PieceResult>): Promise<void> {
    let result = await first;
    while (!result.done) {
      await this.#writer.piece(result.value);
      result = await reader.read();
    }
    if (this.#abort.signal.aborted) throw this.#abort.signal.reason;
  }

  /** Waits for the peer; a miss closes the connection (header, 3), and that ends the wait. */
  async #within<T>(deadlineMs: number, what: string, work: Promise<T>): Promise<T> {
    const { clock, fail } = this.#context;
    if (deadlineMs === Infinity) return work;
    const message = `waited ${deadlineMs} ms for ${what}`;
    const timer = clock.after(deadlineMs, () => fail(new Http3Error('H3_GENERAL_PROTOCOL_ERROR', message)));
    try {
      return await work;
    } finally {
      timer.cancel();
    }
  }

  #giveUp(thrown: unknown): void {
    const code = thrown instanceof Http3Error ? thrown.h3 : 'H3_INTERNAL_ERROR';
    this.#failIfConnection(thrown);
    this.#releaseCode = code;
    this.cancel(asMvmError(thrown), code);
  }

  #failIfConnection(thrown: unknown): void {
    if (thrown instanceof Http3Error && thrown.scope === 'connection') this.#context.fail(thrown);
  }

  /**
   * What is left of the request is not wanted. After a whole body only the end of the stream is left, which is about to
   * come; and a read that is under way ends when the peer does.
   */
  async #releaseReader(): Promise<void> {
    if (!this.#reader.isBodyWhole && (await this.#reader.release(this.#releaseCode))) return;
    try {
      await this.#within(this.#context.bodyIdleMs, 'the end of a request', this.#reader.drain());
    } catch (thrown) {
      this.#failIfConnection(thrown);
      await this.#reader.release(thrown instanceof Http3Error ? thrown.h3 : this.#releaseCode);
    }
  }
}

type PieceResult = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>;

const tooLarge = (bytesMax: number): MvmError =>
  mvmError('PAYLOAD_TOO_LARGE', `the body of a request may have ${bytesMax} bytes`, { bytesMax });

const errorResponse = (thrown: unknown): Response => {
  const error = thrown instanceof MvmError ? thrown : mvmError('INTERNAL', 'the handler of this request failed');
  return Response.json({ error: error.toRecord() }, { status: error.status });
};
