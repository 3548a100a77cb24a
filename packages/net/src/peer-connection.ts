/**
 * The transport as the rest of this package sees it: QUIC connections and streams between proven identities.
 * `iroh/` implements it; tests may put another implementation in its place.
 *
 * What an implementation promises, because no call here can be cancelled by itself:
 *   1. `close` on the connection settles every call that hangs on it.
 *   2. `stop` waits behind a read that is under way, `reset` behind a write: callers see to it that these end.
 *   3. Errors are {@link StreamFailure} (this stream only) or an MvmError CONNECTION_LOST (the whole connection).
 */
import type { EndpointAddress } from './endpoint-address.ts';

/** Why a connection ended. */
export interface CloseReason {
  /** Who ended it: this side, the peer, or silence. */
  readonly by: 'local' | 'peer' | 'timeout' | 'transport';
  /** The application's code, when the peer gave one. */
  readonly code?: number | undefined;
  /** Free text, one line. */
  readonly text: string;
}

/** The peer ended one half of a stream early, or the half is over already. */
export class StreamFailure extends Error {
  readonly kind: 'reset' | 'stopped' | 'over';
  /** The application's code; 0 for `over`. */
  readonly streamCode: number;

  constructor(kind: 'reset' | 'stopped' | 'over', streamCode: number) {
    super(kind === 'over' ? 'the stream is over' : `the peer ${kind} the stream with code ${streamCode}`);
    this.name = 'StreamFailure';
    this.kind = kind;
    this.streamCode = streamCode;
  }
}

/** The half of a stream that this side writes. Calls are made one after another, each awaited. */
export interface SendHalf {
  /** The QUIC stream id (RFC 9000 section 2.1). */
  id(): Promise<number>;
  writeAll(bytes: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  reset(code: number): Promise<void>;
}

/** The half of a stream that the peer writes. */
export interface ReceiveHalf {
  /** At most `bytesMax` bytes; none at the end. The end alone does not prove that the message is whole. */
  read(bytesMax: number): Promise<Uint8Array>;
  stop(code: number): Promise<void>;
}

/** Both halves. */
export interface BidirectionalStream {
  readonly send: SendHalf;
  readonly receive: ReceiveHalf;
}

/** One way that packets take at the moment. */
export interface PathSnapshot {
  readonly kind: 'direct' | 'relay';
  readonly remote: string;
  readonly selected: boolean;
  readonly rttMs: number;
}

/** An open connection to one proven peer. Not closing it is a leak: its endpoint holds it until it ends. */
export interface PeerConnection {
  /** The peer's id, proven by the handshake: 64 hex digits. */
  readonly peerId: string;
  readonly alpn: string;
  readonly isClosed: boolean;
  /** Resolves when the connection is over; never rejects. */
  readonly closed: Promise<CloseReason>;
  openBidirectional(): Promise<BidirectionalStream>;
  acceptBidirectional(): Promise<BidirectionalStream>;
  openUnidirectional(): Promise<SendHalf>;
  acceptUnidirectional(): Promise<ReceiveHalf>;
  /** How many streams the peer may have open towards this side. */
  limitStreams(limits: { readonly bidirectional?: number; readonly unidirectional?: number }): void;
  /** The paths in use, asked now: the calls that watch them abort the process. */
  paths(): readonly PathSnapshot[];
  /** Packets that came so far, those that carry nothing included: while both sides live, some come every 5 s. */
  packetsReceived(): number;
  close(code: number, text: string): void;
}

/** What `connect` takes besides the address. */
export interface ConnectOptions {
  readonly alpn: string;
  readonly signal?: AbortSignal | undefined;
  /** @default netLimits.connectMs */
  readonly deadlineMs?: number | undefined;
}

/** A process's own end of the peer plane. One secret key belongs to one process: two with the same key get each other's traffic. */
export interface PeerEndpoint extends AsyncDisposable {
  /** This endpoint's id: 64 hex digits. */
  readonly id: string;
  /** Where it listens now. */
  address(): EndpointAddress;
  /** Connects, trying every address of the peer at once. @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED */
  connect(address: EndpointAddress, options: ConnectOptions): Promise<PeerConnection>;
  /** Whether the endpoint is connected to its relay within the time; false without a relay. */
  relayReady(deadlineMs: number): Promise<boolean>;
  /** The incoming connections of one ALPN, once each. Without a reader they are refused. Ends when the endpoint closes. */
  connections(alpn: string): AsyncIterable<PeerConnection>;
  /** Closes all connections and the endpoint. Peers notice at once, so signal handlers await it. Idempotent. */
  close(): Promise<void>;
}
