/**
 * Limits of the peer plane (I8). `docs/internals/http3.md` lists them with their reasons.
 */

export const netLimits = {
  /** One read from, or one write to, a QUIC stream: larger pieces block the event loop (conversion costs per byte). */
  pieceBytesMax: 16_384,
  /** The first read of a message, and the smallest: most fit, and a read costs its whole buffer also when little comes. */
  firstReadBytes: 2_048,
  /** A read of a control or QPACK stream, on which little is ever said. */
  criticalReadBytes: 256,
  /** A field section, encoded and decoded, counted as RFC 9114 section 4.2.2 does (name, value, 32 for each line). */
  fieldSectionBytesMax: 65_536,
  /** Payload of a frame of a control stream. */
  controlFrameBytesMax: 4_096,
  /** A request body, when the server's options say nothing else. */
  requestBodyBytesMax: 268_435_456,
  /** A response body that is read before `fetch` answers, so that a caller who drops it unread leaks no stream. */
  eagerBodyBytesMax: 65_536,
  /** Frames in a row, on one stream, that say nothing: unknown ones (grease) and empty DATA. */
  framesSayingNothingMax: 1_000,
  /** GOAWAY, MAX_PUSH_ID and CANCEL_PUSH frames of one peer. */
  controlFramesMax: 100,
  /** Unidirectional streams of unknown types (grease) that one peer may open, one after another. */
  ignoredStreamsMax: 100,
  /** Buffered bodies up to this size leave in one write together with their head. */
  joinedWriteBytesMax: 32_768,
  /** Bodies from this length on are compressed. */
  compressBytesMin: 1_024,
  /** Requests that one connection may have open at the server. */
  requestsPerConnectionMax: 256,
  /** Handlers at work for one connection, with those whose request was given up: more than open requests. */
  handlersPerConnectionMax: 1_024,
  /** Requests that a client has open on one connection; the others wait. Below the server's, so that opening never hangs. */
  clientRequestsMax: 200,
  /** Requests that wait for a place on one connection. */
  clientRequestsWaitingMax: 10_000,
  /** Unidirectional streams that a peer may have open: the control and the two QPACK streams, and a few of grease. */
  unidirectionalStreamsMax: 8,
  /** Connections that one endpoint serves; further ones are refused. */
  connectionsMax: 4_096,
  /** Handshakes of strangers under way; further ones are refused. */
  handshakesMax: 512,
  /** Addresses in a ticket. */
  ticketAddressesMax: 32,
  /** Characters of a ticket. */
  ticketCharsMax: 4_096,
  /** Handshake of an incoming connection. */
  handshakeMsMax: 10_000,
  /** Default time to establish a connection. */
  connectMs: 10_000,
  /** A connection on which no packet came for so long is asked whether it is alive: the transports say something every 5 s. */
  transportSilenceMs: 8_000,
  /** How often that is looked at. */
  transportLookMs: 4_000,
  /** Time for the answer. */
  transportAnswerMs: 2_000,
  /** Default time from the start of a request to the head of its response. */
  requestMs: 30_000,
  /** Server: time from the start of a stream to a complete request head. */
  requestHeadMs: 10_000,
  /** Default wait for the next piece of a body, or for the peer to take the next piece. */
  bodyIdleMs: 30_000,
  /** Default time without a request after which a server lets a connection go. */
  connectionIdleMs: 600_000,
  /** Between the two GOAWAYs of a server that stops: time for requests that are on their way. */
  goawayNoticeMs: 100,
  /** Time that a peer gets to let go of a cancelled stream before its connection is closed. */
  cancelGraceMs: 2_000,
  /** Default time that `stop` waits for the requests under way. */
  drainMs: 5_000,
  /** After the last response, time for the client to take it and close; after a byte stream's end, for the other side to end its half. */
  lingerMs: 1_000,
  /** Plain HTTP, server: time for the head of a request. */
  httpHeadMs: 60_000,
  /** Plain HTTP, server: time for a whole request. */
  httpRequestMs: 300_000,
  /** Plain HTTP, server: how often late requests are looked for. */
  httpCheckMs: 30_000,
  /** Plain HTTP, server: how long a connection without a request stays open. */
  httpKeepAliveMs: 30_000,
  /** Plain HTTP: silence after which TCP asks whether the other host is still there. */
  tcpKeepAliveMs: 15_000,
  /** Plain HTTP, client: connections to one server. */
  httpSocketsMax: 256,
  /** Plain HTTP, client: connections to one server that wait for the next request. */
  httpIdleSocketsMax: 8,
  /** How much of a refusal's text is read. */
  refusalBytesRead: 8_192,
} as const;

/** Limits of a frame channel (I8). `docs/internals/peer-stream.md` lists them with their reasons. */
export interface ChannelLimits {
  /** Conversations that the other side may have open. */
  readonly conversationsMax: number;
  /** Conversations of this side that wait for a place. */
  readonly waitingMax: number;
  /** A message, once it is unpacked: the largest request, with room for its envelope. */
  readonly messageBytesMax: number;
  /** Received and not yet consumed, over all conversations; a single message may go beyond. */
  readonly bufferedBytesMax: number;
  /** Queued to be sent, over all conversations. */
  readonly queuedBytesMax: number;
  /** Queued in one conversation before its sender is asked to wait. */
  readonly sendAheadBytes: number;
  /** Control frames that wait to be sent: more means that the other side does not read. */
  readonly controlFramesMax: number;
  /** Longest silence of ours; shorter when the other side bears less. */
  readonly pingMs: number;
  /** Longest silence of the other side, which is told of it. */
  readonly silenceMs: number;
  /** How much of ours the other side bears when it doesn't say: it is of an earlier release. */
  readonly silenceUnsaidMs: number;
  /** Time for the last frame to leave when the channel is closed. */
  readonly closeMs: number;
}

export const channelLimits: ChannelLimits = {
  conversationsMax: 1_024,
  waitingMax: 10_000,
  messageBytesMax: 35_651_584,
  bufferedBytesMax: 67_108_864,
  queuedBytesMax: 67_108_864,
  sendAheadBytes: 262_144,
  controlFramesMax: 8_192,
  pingMs: 3_000,
  silenceMs: 10_000,
  silenceUnsaidMs: 10_000,
  closeMs: 1_000,
};

/**
 * How a peer stream differs: a thousand idle workers would cost the control plane mostly their pings. What they ask for, which comes
 * sooner, breaks the silence of most; and who needs to know sooner that the other side is gone has their deadlines.
 */
export const peerStreamLimits: Pick<ChannelLimits, 'pingMs' | 'silenceMs' | 'silenceUnsaidMs'> = {
  pingMs: 65_000,
  silenceMs: 90_000,
  silenceUnsaidMs: 30_000,
};
