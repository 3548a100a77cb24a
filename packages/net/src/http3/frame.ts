/** Frames (RFC 9114 section 7): type, length, payload. Reading is {@link file://./frame-decoder.ts}. */
import { joinBytes } from '../bytes.ts';
import { varint } from './varint.ts';

/** The frame types of RFC 9114 section 7.2, and one of ours. */
export const frameTypes = {
  DATA: 0x00,
  HEADERS: 0x01,
  CANCEL_PUSH: 0x03,
  SETTINGS: 0x04,
  PUSH_PROMISE: 0x05,
  GOAWAY: 0x07,
  MAX_PUSH_ID: 0x0d,
  /**
   * Extension of ours, on the client's control stream: the stream id of a request that the client gave up. The
   * transport can't stop a stream while a read of it is pending, so the server is asked to end it. Announced by the
   * setting of the same number; peers that do not know it ignore it (RFC 9114 section 9).
   */
  CANCEL_REQUEST: 0x6d_76_6d_01,
} as const;

/** Frame types of HTTP/2 that have no meaning here: receiving one is an error (RFC 9114 section 7.2.8). */
export const reservedFrameTypes: ReadonlySet<number> = new Set([0x02, 0x06, 0x08, 0x09]);

/** The type and length that go before a payload. */
export const frameHead = (type: number, payloadLength: number): Uint8Array =>
  joinBytes([varint(type), varint(payloadLength)]);

/** A whole frame. */
export const frame = (type: number, payload: Uint8Array): Uint8Array =>
  joinBytes([frameHead(type, payload.length), payload]);
