/** The SETTINGS frame (RFC 9114 section 7.2.4). */
import { joinBytes } from '../bytes.ts';
import { Http3Error } from './error.ts';
import { frame, frameTypes } from './frame.ts';
import { readVarints, varint } from './varint.ts';

const ids = {
  QPACK_MAX_TABLE_CAPACITY: 0x01,
  MAX_FIELD_SECTION_SIZE: 0x06,
  QPACK_BLOCKED_STREAMS: 0x07,
  /** Ours: the sender understands CANCEL_REQUEST. */
  CANCEL_REQUEST: frameTypes.CANCEL_REQUEST,
} as const;

/** Settings of HTTP/2 that have no meaning here: receiving one is an error (RFC 9114 section 7.2.4.1). */
const reserved: ReadonlySet<number> = new Set([0x00, 0x02, 0x03, 0x04, 0x05]);

/** What a peer told about itself; settings that we do not know are ignored. */
export interface PeerSettings {
  readonly fieldSectionBytesMax: number;
  readonly understandsCancel: boolean;
}

/** Our SETTINGS frame: no dynamic table, our limit of field sections, our extension. */
export const settingsFrame = (fieldSectionBytesMax: number): Uint8Array =>
  frame(
    frameTypes.SETTINGS,
    joinBytes(
      [
        [ids.QPACK_MAX_TABLE_CAPACITY, 0],
        [ids.QPACK_BLOCKED_STREAMS, 0],
        [ids.MAX_FIELD_SECTION_SIZE, fieldSectionBytesMax],
        [ids.CANCEL_REQUEST, 1],
      ]
        .flat()
        .map(varint),
    ),
  );

/** @throws Http3Error H3_SETTINGS_ERROR for a setting sent twice or one of HTTP/2, H3_FRAME_ERROR for a cut one. */
export const readSettings = (payload: Uint8Array): PeerSettings => {
  const numbers = readVarints(payload);
  if (numbers.length % 2 !== 0) throw new Http3Error('H3_FRAME_ERROR', 'a setting has no value');
  const settings = new Map<number, number>();
  for (let index = 0; index < numbers.length; index += 2) {
    const id = numbers[index] ?? 0;
    if (reserved.has(id) || settings.has(id)) {
      throw new Http3Error('H3_SETTINGS_ERROR', `setting 0x${id.toString(16)} is reserved or sent twice`);
    }
    settings.set(id, numbers[index + 1] ?? 0);
  }
  return {
    fieldSectionBytesMax: settings.get(ids.MAX_FIELD_SECTION_SIZE) ?? Infinity,
    understandsCancel: settings.get(ids.CANCEL_REQUEST) === 1,
  };
};
