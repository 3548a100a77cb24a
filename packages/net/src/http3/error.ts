/** The error codes of HTTP/3 (RFC 9114 section 8.1) and QPACK (RFC 9204 section 6). */
export const http3Codes = {
  H3_NO_ERROR: 0x100,
  H3_GENERAL_PROTOCOL_ERROR: 0x101,
  H3_INTERNAL_ERROR: 0x102,
  H3_STREAM_CREATION_ERROR: 0x103,
  H3_CLOSED_CRITICAL_STREAM: 0x104,
  H3_FRAME_UNEXPECTED: 0x105,
  H3_FRAME_ERROR: 0x106,
  H3_EXCESSIVE_LOAD: 0x107,
  H3_ID_ERROR: 0x108,
  H3_SETTINGS_ERROR: 0x109,
  H3_MISSING_SETTINGS: 0x10a,
  H3_REQUEST_REJECTED: 0x10b,
  H3_REQUEST_CANCELLED: 0x10c,
  H3_REQUEST_INCOMPLETE: 0x10d,
  H3_MESSAGE_ERROR: 0x10e,
  QPACK_DECOMPRESSION_FAILED: 0x200,
  QPACK_ENCODER_STREAM_ERROR: 0x201,
  QPACK_DECODER_STREAM_ERROR: 0x202,
} as const;

/** The name of an HTTP/3 or QPACK error code. */
export type Http3Code = keyof typeof http3Codes;

const streamScoped: ReadonlySet<Http3Code> = new Set([
  'H3_REQUEST_REJECTED',
  'H3_REQUEST_CANCELLED',
  'H3_REQUEST_INCOMPLETE',
  'H3_MESSAGE_ERROR',
  'H3_EXCESSIVE_LOAD',
]);

/** What an error costs: one request, or the connection with all of them (RFC 9114 section 8). */
export type ErrorScope = 'stream' | 'connection';

/** What a peer did against the rules, with the code that it is told. */
export class Http3Error extends Error {
  readonly h3: Http3Code;
  readonly scope: ErrorScope;

  /** @param scope as the RFC says for the code, unless it leaves the choice */
  constructor(h3: Http3Code, message: string, scope: ErrorScope = streamScoped.has(h3) ? 'stream' : 'connection') {
    super(`${h3}: ${message}`);
    this.name = 'Http3Error';
    this.h3 = h3;
    this.scope = scope;
  }

  /** The number on the wire. */
  get wireCode(): number {
    return http3Codes[this.h3];
  }
}

/** The name of a code that a peer sent, for messages. */
export const http3CodeName = (code: number): string =>
  Object.entries(http3Codes).find(([, value]) => value === code)?.[0] ?? `0x${code.toString(16)}`;
