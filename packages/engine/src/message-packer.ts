/**
 * Messages between the threads of an engine as bytes. Structured cloning of many small objects costs several times what
 * packing them does; a buffer is handed over without a copy. Both ends are this build, so the form is nobody else's
 * business: MessagePack with msgpackr's records, which name the fields of like objects once per message.
 */
import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: true, int64AsType: 'number', moreTypes: false, copyBuffers: true });

/** The message's bytes, in a buffer of their own that can be transferred. */
export const packMessage = (message: unknown): Uint8Array<ArrayBuffer> => new Uint8Array(packr.pack(message));

/** What {@link packMessage} packed. Byte strings in it have buffers of their own. */
export const unpackMessage = <Message>(bytes: Uint8Array): Message => packr.unpack(bytes);
