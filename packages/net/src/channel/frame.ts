/** Frames of a channel (`docs/internals/peer-stream.md`): how they are written. Reading is `frame-reader.ts`. */

export const frameTypes = { HELLO: 1, DATA: 2, CLOSE: 3, CREDIT: 4, PING: 5, DRAIN: 6 } as const;

/** Types from here on are ignored by who doesn't know them. */
export const ignorableTypesMin = 8;

/** Flags of DATA. */
export const dataFlags = { OPEN: 1, LAST: 2, PACKED: 4, END: 8 } as const;

export const frameHeadBytes = 8;
/** The largest payload. */
export const frameBytesMax = 16_384;
/** Credit of a new conversation, each way. Fixed by the protocol. */
export const initialCredit = 65_536;
/** What a DATA frame costs besides its payload, so that tiny ones are bounded too. */
export const frameCost = 64;
/** The only version so far. */
export const channelVersion = 1;
/** The largest number of a conversation: 5 bytes. */
export const conversationMax: number = 2 ** 40 - 1;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly conversation: number;
  readonly payload: Uint8Array;
}

/** What each side says first. */
export interface Hello {
  readonly version: number;
  /** Conversations that the receiver of the hello may have opened at one time. */
  readonly conversationsMax: number;
  readonly messageBytesMax: number;
  /** How long its sender bears silence, ms; undefined: it is of a release that doesn't say. */
  readonly silenceMs?: number | undefined;
}

const nothing = new Uint8Array(0);

/** A frame without flags. */
export const controlFrame = (type: number, conversation = 0, payload: Uint8Array = nothing): Frame => ({
  type,
  flags: 0,
  conversation,
  payload,
});

/** Frames as bytes, in one piece. */
export const encodeFrames = (frames: readonly Frame[]): Uint8Array => {
  const length = frames.reduce((sum, { payload }) => sum + frameHeadBytes + payload.length, 0);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const frame of frames) {
    writeHead(bytes, at, frame);
    bytes.set(frame.payload, at + frameHeadBytes);
    at += frameHeadBytes + frame.payload.length;
  }
  return bytes;
};

const writeHead = (bytes: Uint8Array, at: number, { type, flags, conversation, payload }: Frame): void => {
  bytes[at] = (type << 4) | flags;
  bytes[at + 1] = payload.length >>> 8;
  bytes[at + 2] = payload.length;
  bytes[at + 3] = Math.floor(conversation / 2 ** 32);
  bytes[at + 4] = conversation >>> 24;
  bytes[at + 5] = conversation >>> 16;
  bytes[at + 6] = conversation >>> 8;
  bytes[at + 7] = conversation;
};

/** A number of 4 bytes. */
export const uint32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
};

/** The number at `offset`; undefined when there are no 4 bytes. */
export const readUint32 = (bytes: Uint8Array, offset = 0): number | undefined =>
  bytes.length < offset + 4
    ? undefined
    : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset);

const magic = Uint8Array.of(0x6d, 0x76, 0x6d, 0x66);
/** Up to `silenceMs`, which came later. */
const helloBytesMin = 14;

export const helloPayload = ({ version, conversationsMax, messageBytesMax, silenceMs }: Hello): Uint8Array => {
  const bytes = new Uint8Array(silenceMs === undefined ? helloBytesMin : helloBytesMin + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint16(4, version);
  view.setUint32(6, conversationsMax);
  view.setUint32(10, messageBytesMax);
  if (silenceMs !== undefined) view.setUint32(helloBytesMin, silenceMs);
  return bytes;
};

/** The hello in a payload; undefined when it is none. */
export const readHello = (payload: Uint8Array): Hello | undefined => {
  if (payload.length < helloBytesMin || magic.some((byte, index) => payload[index] !== byte)) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const version = view.getUint16(4);
  if (version === 0) return undefined;
  const silenceMs = readUint32(payload, helloBytesMin);
  return { version, conversationsMax: view.getUint32(6), messageBytesMax: view.getUint32(10), silenceMs };
};
