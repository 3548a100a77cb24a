/**
 * What an HTTP/3 connection has besides its requests (RFC 9114 section 6.2): a control stream of each side, and the peer's
 * QPACK streams. Client and server both use it. Owns: those streams, the peer's settings, GOAWAY both ways.
 *
 *   1. Our control stream is opened at once and held until the connection ends; it never ends before it. QPACK streams of our
 *      own would say nothing, as neither table is ever used: RFC 9204 section 4.2 allows not to open them.
 *   2. A violation of the protocol closes the connection with the code that the RFC names, and never throws outwards.
 *   3. Writes to the control stream are made one after another.
 */
import { joinBytes } from '../bytes.ts';
import { netLimits } from '../limits.ts';
import { StreamFailure, type PeerConnection, type ReceiveHalf, type SendHalf } from '../peer-connection.ts';
import { http3Codes, Http3Error, type Http3Code } from './error.ts';
import { controlStreamRules, FrameDecoder, type FrameEvent } from './frame-decoder.ts';
import { frame, frameTypes } from './frame.ts';
import { readSettings, settingsFrame, type PeerSettings } from './settings.ts';
import { readVarint, readVarints, varint, varintLength } from './varint.ts';

const streamTypes = { CONTROL: 0x00, PUSH: 0x01, QPACK_ENCODER: 0x02, QPACK_DECODER: 0x03 } as const;

/** The only thing that a peer may say on its encoder stream, as we allow it no table: capacity 0 (RFC 9204 4.3.1). */
const CAPACITY_ZERO = 0x20;

/** What the owner of a session wants to know. */
export interface SessionEvents {
  /** Bytes arrived on a stream of the session. */
  readonly onBytes?: () => void;
  /** The peer begins to stop: a server takes no requests from this stream id on, a client no pushes. */
  readonly onGoaway?: (streamId: number) => void;
  /** The client gave a request up. */
  readonly onCancelRequest?: (streamId: number) => void;
}

export class Http3Session {
  readonly connection: PeerConnection;
  readonly #side: 'client' | 'server';
  readonly #events: SessionEvents;
  readonly #seen = new Set<number>();
  /** Held so that it is not collected: a collected stream is finished, which would be an error of ours. */
  #control: Promise<SendHalf> | undefined;
  #lastWrite: Promise<unknown> = Promise.resolve();
  readonly #settingsArrived = Promise.withResolvers<PeerSettings>();
  #peerSettings: PeerSettings | undefined;
  #lastGoaway = Infinity;
  #lastMaxPushId = 0;
  #ignoredStreams = 0;
  #controlFrames = 0;

  constructor(connection: PeerConnection, side: 'client' | 'server', events: SessionEvents) {
    this.connection = connection;
    this.#side = side;
    this.#events = events;
  }

  /** Opens our control stream and reads the peer's streams. Never rejects: what goes wrong closes the connection. */
  start(): void {
    this.connection.limitStreams({ unidirectional: netLimits.unidirectionalStreamsMax });
    this.#control = this.#openControl();
    this.#lastWrite = this.#control;
    this.#control.catch(this.fail);
    this.#acceptAll().catch(this.fail);
    if (this.#side === 'client') this.#refuseBidirectional().catch(this.fail);
  }

  /** What the peer said about itself; undefined until its SETTINGS have come. */
  get peerSettings(): PeerSettings | undefined {
    return this.#peerSettings;
  }

  /** Tells the peer that requests from `streamId` on are not taken (RFC 9114 section 5.2). Never rejects. */
  async sendGoaway(streamId: number): Promise<void> {
    await this.#send(frame(frameTypes.GOAWAY, varint(streamId)));
  }

  /**
   * Asks the server to end a request that was given up, if it understands that; waits for its SETTINGS, which say so.
   * Never rejects; stays pending when no SETTINGS come.
   */
  async sendCancelRequest(streamId: number): Promise<void> {
    const { understandsCancel } = await this.#settingsArrived.promise;
    if (understandsCancel) await this.#send(frame(frameTypes.CANCEL_REQUEST, varint(streamId)));
  }

  /** Closes the connection because of `thrown`. A bound function: it is handed to `catch`. */
  readonly fail = (thrown: unknown): void => {
    if (this.connection.isClosed) return;
    const error = thrown instanceof Http3Error ? thrown : undefined;
    const code: Http3Code = error?.h3 ?? 'H3_INTERNAL_ERROR';
    this.connection.close(http3Codes[code], error?.message ?? '');
  };

  async #openControl(): Promise<SendHalf> {
    const half = await this.connection.openUnidirectional();
    await half.writeAll(joinBytes([varint(streamTypes.CONTROL), settingsFrame(netLimits.fieldSectionBytesMax)]));
    return half;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const write = this.#lastWrite.then(async () => (await this.#control)?.writeAll(bytes));
    this.#lastWrite = write.catch(() => undefined);
    await this.#lastWrite;
  }

  async #acceptAll(): Promise<void> {
    while (!this.connection.isClosed) {
      const half = await this.connection.acceptUnidirectional();
      this.#serve(half).catch(this.fail);
    }
  }

  async #serve(half: ReceiveHalf): Promise<void> {
    const { type, rest } = await this.#readType(half);
    switch (type) {
      case streamTypes.CONTROL:
        this.#claim(type);
        return this.#serveControl(half, rest);
      case streamTypes.QPACK_ENCODER:
      case streamTypes.QPACK_DECODER:
        this.#claim(type);
        return this.#serveQpack(half, type, rest);
      case streamTypes.PUSH:
        throw new Http3Error(
          this.#side === 'server' ? 'H3_STREAM_CREATION_ERROR' : 'H3_ID_ERROR',
          'no push is allowed',
        );
      default:
        this.#ignoredStreams += 1;
        if (this.#ignoredStreams > netLimits.ignoredStreamsMax) throw tooMany('streams of unknown types');
        return half.stop(http3Codes.H3_STREAM_CREATION_ERROR).catch(() => undefined);
    }
  }

  /** A server opens no bidirectional streams (RFC 9114 section 6.1). */
  async #refuseBidirectional(): Promise<void> {
    await this.connection.acceptBidirectional();
    throw new Http3Error('H3_STREAM_CREATION_ERROR', 'a bidirectional stream of a server');
  }

  /** A stream that ends before its type is known is ignored (RFC 9114 section 6.2). */
  async #readType(half: ReceiveHalf): Promise<{ type: number | undefined; rest: Uint8Array }> {
    let held: Uint8Array = new Uint8Array(0);
    for (;;) {
      const type = readVarint(held, 0);
      if (type !== undefined) return { type, rest: held.subarray(varintLength(held[0] ?? 0)) };
      const bytes = await readCriticalPiece(half);
      if (bytes.length === 0) return { type: undefined, rest: held };
      held = joinBytes([held, bytes]);
    }
  }

  /** Each kind of critical stream exists once (RFC 9114 section 6.2.1, RFC 9204 section 4.2). */
  #claim(type: number): void {
    if (this.#seen.has(type)) throw new Http3Error('H3_STREAM_CREATION_ERROR', `a second stream of type ${type}`);
    this.#seen.add(type);
  }

  async #serveControl(half: ReceiveHalf, first: Uint8Array): Promise<void> {
    const decoder = new FrameDecoder(controlStreamRules(netLimits.controlFrameBytesMax));
    await this.#readCritical(half, first, (bytes) => {
      decoder.push(bytes);
      for (let event = decoder.next(); event; event = decoder.next()) this.#onControlFrame(event);
    });
  }

  async #serveQpack(half: ReceiveHalf, type: number, first: Uint8Array): Promise<void> {
    const isCancellations = cancellationScanner();
    await this.#readCritical(half, first, (bytes) => {
      if (type === streamTypes.QPACK_ENCODER && bytes.some((byte) => byte !== CAPACITY_ZERO)) {
        throw new Http3Error('QPACK_ENCODER_STREAM_ERROR', 'an insertion into a table of size 0');
      }
      // Stream cancellations (01…) may come; acknowledgements of what was never inserted may not (RFC 9204 4.4).
      if (type === streamTypes.QPACK_DECODER && !isCancellations(bytes)) {
        throw new Http3Error('QPACK_DECODER_STREAM_ERROR', 'an acknowledgement of nothing');
      }
    });
  }

  async #readCritical(half: ReceiveHalf, first: Uint8Array, take: (bytes: Uint8Array) => void): Promise<void> {
    take(first);
    for (;;) {
      const bytes = await readCriticalPiece(half);
      this.#events.onBytes?.();
      if (bytes.length === 0) throw new Http3Error('H3_CLOSED_CRITICAL_STREAM', 'a control or QPACK stream ended');
      take(bytes);
    }
  }

  #onControlFrame(event: FrameEvent): void {
    if (event.kind === 'data') return;
    if (!this.#peerSettings) {
      if (event.type !== frameTypes.SETTINGS) throw new Http3Error('H3_MISSING_SETTINGS', 'SETTINGS must come first');
      this.#peerSettings = readSettings(event.payload);
      this.#settingsArrived.resolve(this.#peerSettings);
      return;
    }
    if (event.type === frameTypes.SETTINGS) throw new Http3Error('H3_FRAME_UNEXPECTED', 'SETTINGS came twice');
    const [id, ...more] = readVarints(event.payload);
    if (id === undefined || more.length > 0) throw new Http3Error('H3_FRAME_ERROR', 'the frame carries one integer');
    this.#onId(event.type, id);
  }

  #onId(type: number, id: number): void {
    if (type === frameTypes.CANCEL_REQUEST) {
      if (this.#side === 'server') this.#events.onCancelRequest?.(id);
      return;
    }
    this.#controlFrames += 1;
    if (this.#controlFrames > netLimits.controlFramesMax) throw tooMany('control frames');
    if (type === frameTypes.GOAWAY) this.#onGoaway(id);
    else if (type === frameTypes.MAX_PUSH_ID) this.#onMaxPushId(id);
    else throw new Http3Error('H3_ID_ERROR', 'no push was promised');
  }

  /** We never push, so that the number means nothing; but it may not come from a server, nor shrink. */
  #onMaxPushId(id: number): void {
    if (this.#side === 'client') throw new Http3Error('H3_FRAME_UNEXPECTED', 'MAX_PUSH_ID from a server');
    if (id < this.#lastMaxPushId) throw new Http3Error('H3_ID_ERROR', `MAX_PUSH_ID shrinks to ${id}`);
    this.#lastMaxPushId = id;
  }

  #onGoaway(id: number): void {
    const isWrong = id > this.#lastGoaway || (this.#side === 'client' && id % 4 !== 0);
    if (isWrong) throw new Http3Error('H3_ID_ERROR', `GOAWAY names ${id} after ${this.#lastGoaway}`);
    this.#lastGoaway = id;
    this.#events.onGoaway?.(id);
  }
}

const tooMany = (what: string): Http3Error => new Http3Error('H3_EXCESSIVE_LOAD', `too many ${what}`);

/**
 * Checks that a decoder stream holds stream cancellations only (`01`, then a 6-bit prefixed integer), piece by piece.
 * The result says whether all is well so far.
 */
const cancellationScanner = (): ((bytes: Uint8Array) => boolean) => {
  let isInside = false;
  return (bytes) =>
    bytes.every((byte) => {
      const isWrong = !isInside && (byte & 0xc0) !== 0x40;
      isInside = isInside ? byte >= 0x80 : (byte & 0x3f) === 0x3f;
      return !isWrong;
    });
};

/** A reset of a critical stream counts as its end; the loss of the connection stays what it is. */
const readCriticalPiece = async (half: ReceiveHalf): Promise<Uint8Array> => {
  try {
    return await half.read(netLimits.criticalReadBytes);
  } catch (thrown) {
    if (thrown instanceof StreamFailure) return new Uint8Array(0);
    throw thrown;
  }
};
