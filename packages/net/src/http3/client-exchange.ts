/**
 * One request of a client, from its head to the end of the response's body. Owns both halves of the stream and the
 * place at the gate, and gives the place back when the stream is free.
 *
 *   1. `start` answers or throws one of our errors: CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE.
 *   2. A response is never short: what ends before its promised length is an error of its body.
 *   3. Giving up asks the server to end the stream and waits for that. If the server does not within the grace time, or
 *      was silent since the request began and a deadline passed, the connection is closed: only that frees hung calls.
 */
import { asMvmError, mvmError, MvmError } from '@mvm-ci/protocol';

import { joinBytes } from '../bytes.ts';
import type { Clock } from '../clock.ts';
import { GiveUp } from '../give-up.ts';
import { netLimits } from '../limits.ts';
import { StreamFailure, type BidirectionalStream } from '../peer-connection.ts';
import { bodyStream } from './body-stream.ts';
import { http3CodeName, http3Codes, Http3Error } from './error.ts';
import { requestStreamRules } from './frame-decoder.ts';
import type { Place } from './gate.ts';
import { readResponseHead, requestLines, type ResponseHead } from './message-head.ts';
import { lengthTrailer, MessageReader } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';
import { fieldLineSize, type FieldLine } from './qpack/field-line.ts';
import type { Http3Session } from './session.ts';

/** A request that is ready to be sent. */
export interface OutgoingRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | undefined;
  readonly deadlineMs: number;
  readonly bodyIdleMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What an exchange needs from its connection. */
export interface ClientContext {
  readonly session: Http3Session;
  readonly clock: Clock;
  readonly place: Place;
  readonly cancelGraceMs: number;
  /** Whether no new request may be started. */
  readonly isDraining: () => boolean;
  /** When bytes last arrived on any stream of the connection, in `clock.monotonicMs`. */
  readonly lastHeardMs: () => number;
  readonly onBytes: () => void;
}

const rules = requestStreamRules('client', netLimits.fieldSectionBytesMax);
const noBodyStatuses: ReadonlySet<number> = new Set([204, 205, 304]);

export class ClientExchange {
  readonly #request: OutgoingRequest;
  readonly #context: ClientContext;
  readonly #giveUp: GiveUp;
  readonly #startedMs: number;
  #reader: MessageReader | undefined;
  #writer: MessageWriter | undefined;
  #sending: Promise<void> | undefined;
  #hasReleased = false;

  constructor(request: OutgoingRequest, context: ClientContext) {
    this.#request = request;
    this.#context = context;
    this.#startedMs = context.clock.monotonicMs();
    this.#giveUp = new GiveUp({
      clock: context.clock,
      deadlineMs: request.deadlineMs,
      signal: request.signal,
      what: `the response of ${request.method} ${request.path}`,
    });
  }

  async start(): Promise<Response> {
    try {
      const { ready } = this.#context.place;
      if (ready) await this.#giveUp.wait(ready);
      if (this.#context.isDraining()) throw drainingError();
      await this.#open();
      const head = await this.#giveUp.wait(this.#exchangeHeads());
      return await this.#response(head);
    } catch (thrown) {
      throw this.#fail(thrown);
    }
  }

  /** The peer won't touch requests from the stream `firstRefused` on (RFC 9114 section 5.2). Never rejects. */
  async onGoaway(firstRefused: number): Promise<void> {
    const streamId = await this.#writer?.streamId().catch(() => undefined);
    if (streamId !== undefined && streamId >= firstRefused) this.#giveUp.fail(drainingError());
  }

  /** A stream that arrives after its request was given up is handed back unused. */
  async #open(): Promise<void> {
    const opening = this.#context.session.connection.openBidirectional();
    try {
      this.#attach(await this.#giveUp.wait(opening));
    } catch (thrown) {
      opening.then(discard, () => undefined);
      throw thrown;
    }
  }

  #attach(stream: BidirectionalStream): void {
    this.#writer = new MessageWriter(stream.send);
    this.#reader = new MessageReader(stream.receive, rules, this.#context.onBytes);
  }

  /** Sends the request and waits for the head of its response, which may come before all is sent. */
  async #exchangeHeads(): Promise<ResponseHead> {
    const { writer, reader } = this.#stream();
    this.#sending = this.#send(writer);
    const sent = this.#sending.then(
      async () => never,
      async (thrown: unknown) => {
        // The server may answer without wanting the rest of the request (RFC 9114 section 4.1).
        if (thrown instanceof StreamFailure) return never;
        throw thrown;
      },
    );
    return Promise.race([this.#finalHead(reader), sent]);
  }

  async #finalHead(reader: MessageReader): Promise<ResponseHead> {
    for (;;) {
      const head = readResponseHead(await reader.head());
      if (head.status >= 200) return head;
    }
  }

  async #send(writer: MessageWriter): Promise<void> {
    const { method, authority, path, headers, body } = this.#request;
    const isStreamed = body instanceof ReadableStream;
    const isLengthKnown = !isStreamed || headers.has('content-length');
    if (!isLengthKnown) headers.set('trailer', lengthTrailer);
    if (body && !isStreamed) headers.set('content-length', String(body.length));
    const lines = requestLines({ method, scheme: 'iroh+h3', authority, path, headers });
    demandSize(lines, this.#context.session.peerSettings?.fieldSectionBytesMax ?? Infinity);
    if (!isStreamed) await writer.start(lines, body);
    else {
      await writer.start(lines);
      await this.#pump(body, writer);
    }
    await writer.finish({ withLength: !isLengthKnown });
  }

  async #pump(body: ReadableStream<Uint8Array>, writer: MessageWriter): Promise<void> {
    for await (const piece of body) {
      if (this.#hasReleased) throw new StreamFailure('over', 0);
      await writer.piece(piece);
    }
  }

  async #response(head: ResponseHead): Promise<Response> {
    const { reader } = this.#stream();
    const isEmpty = noBodyStatuses.has(head.status) || this.#request.method === 'HEAD';
    reader.expectBody(isEmpty ? 0 : head.bodyBytes, head.headers);
    head.headers.delete('trailer');
    if (isEmpty) {
      this.#finish();
      return new Response(null, head);
    }
    if (head.bodyBytes !== undefined && head.bodyBytes <= netLimits.eagerBodyBytesMax) {
      const body = await this.#giveUp.wait(readWhole(reader));
      this.#finish();
      return new Response(new Uint8Array(body), head);
    }
    this.#giveUp.pause();
    return new Response(bodyStream({ next: async () => this.#nextPiece(reader), cancel: () => this.#abandon() }), head);
  }

  async #nextPiece(reader: MessageReader): Promise<Uint8Array | undefined> {
    this.#giveUp.restart(this.#request.bodyIdleMs);
    try {
      const piece = await this.#giveUp.wait(reader.piece());
      this.#giveUp.pause();
      if (!piece) this.#finish();
      return piece;
    } catch (thrown) {
      throw this.#fail(thrown);
    }
  }

  /** All of the response is here. The end of the stream is awaited behind the caller's back, with the grace time. */
  #finish(): void {
    this.#giveUp.settle();
    void this.#release();
  }

  #abandon(): void {
    this.#giveUp.settle();
    void this.#release();
  }

  #fail(thrown: unknown): MvmError {
    this.#giveUp.settle();
    const { session, lastHeardMs } = this.#context;
    const error = this.#giveUp.error;
    const isSilent = error?.code === 'DEADLINE_EXCEEDED' && this.#writer && lastHeardMs() < this.#startedMs;
    if (isSilent) session.connection.close(http3Codes.H3_NO_ERROR, 'no answer in time');
    if (thrown instanceof Http3Error && thrown.scope === 'connection') session.fail(thrown);
    void this.#release();
    return error ?? asError(thrown);
  }

  /** Frees the stream and the place, whatever state they are in. Never rejects. */
  async #release(): Promise<void> {
    if (this.#hasReleased) return;
    this.#hasReleased = true;
    const { session, clock, cancelGraceMs, place } = this.#context;
    if (this.#reader && this.#writer) {
      const grace = clock.after(cancelGraceMs, () =>
        session.connection.close(http3Codes.H3_NO_ERROR, 'a cancelled request is not let go'),
      );
      await this.#freeStream(this.#reader, this.#writer);
      grace.cancel();
    }
    place.leave();
  }

  async #freeStream(reader: MessageReader, writer: MessageWriter): Promise<void> {
    const isWhole = reader.isBodyWhole && writer.isOver;
    if (!isWhole && !reader.hasEnded) void this.#cancelAtServer(writer);
    const reset = writer.reset('H3_REQUEST_CANCELLED');
    if (!isWhole) await reader.release('H3_REQUEST_CANCELLED');
    await Promise.all([reset, this.#sending?.catch(() => undefined), this.#drain(reader)]);
  }

  /** The caller has all it will get; what still comes is checked for the connection's sake. */
  async #drain(reader: MessageReader): Promise<void> {
    try {
      await reader.drain();
    } catch (thrown) {
      if (!(thrown instanceof Http3Error)) return;
      if (thrown.scope === 'connection') this.#context.session.fail(thrown);
      await reader.release(thrown.h3);
    }
  }

  async #cancelAtServer(writer: MessageWriter): Promise<void> {
    const streamId = await writer.streamId().catch(() => undefined);
    if (streamId !== undefined) await this.#context.session.sendCancelRequest(streamId);
  }

  #stream(): { reader: MessageReader; writer: MessageWriter } {
    if (!this.#reader || !this.#writer) throw mvmError('INTERNAL', 'the stream of this request is not open');
    return { reader: this.#reader, writer: this.#writer };
  }
}

const drainingError = (): MvmError => mvmError('UNAVAILABLE', 'the peer takes no new requests: it is about to stop');

/** A peer that says how large a head may be is not sent a larger one (RFC 9114 section 4.2.2). */
const demandSize = (lines: readonly FieldLine[], bytesMax: number): void => {
  const size = lines.reduce((total, line) => total + fieldLineSize(line), 0);
  if (size <= bytesMax) return;
  throw mvmError('INVALID_ARGUMENT', `the headers have ${size} bytes, and the peer takes ${bytesMax}`, { bytesMax });
};

/** Never settles: the other side of a race decides. */
const never = new Promise<never>(() => undefined);

const discard = async (stream: BidirectionalStream): Promise<void> => {
  const code = http3Codes.H3_REQUEST_CANCELLED;
  await Promise.allSettled([stream.send.reset(code), stream.receive.stop(code)]);
};

const readWhole = async (reader: MessageReader): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const piece = await reader.piece();
    if (!piece) return joinBytes(pieces);
    pieces.push(piece);
  }
};

/** What went wrong on the way, in the words of our errors. */
const asError = (thrown: unknown): MvmError => {
  if (thrown instanceof MvmError) return thrown;
  if (thrown instanceof StreamFailure) {
    const name = http3CodeName(thrown.streamCode);
    if (name === 'H3_REQUEST_REJECTED')
      return mvmError('UNAVAILABLE', 'the peer did not take the request', { h3: name });
    return mvmError('CONNECTION_LOST', `the peer ended the request: ${name}`, { h3: name }, { cause: thrown });
  }
  if (thrown instanceof Http3Error) {
    return mvmError('CONNECTION_LOST', thrown.message, { h3: thrown.h3 }, { cause: thrown });
  }
  return asMvmError(thrown);
};
