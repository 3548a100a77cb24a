/**
 * Messages between the threads of an engine as bytes. Structured cloning of many small objects costs more than packing
 * them does, and byte strings that are views would be cloned with all that they are views of. Both ends are this build, so
 * the form is nobody else's business: MessagePack with msgpackr's records, which name the fields of like objects once per
 * message.
 */
import { Packr } from 'msgpackr';

/** How messages of one kind become bytes and are read again. */
export interface MessageForm<Message> {
  /** The message's bytes, in a buffer of their own that can be transferred. */
  pack(message: Message): Uint8Array<ArrayBuffer>;
  /** What `pack` packed. Byte strings in it have buffers of their own. */
  unpack(bytes: Uint8Array): Message;
}

interface Unpacker<Message> {
  unpack(bytes: Uint8Array): Message;
}

const packr = new Packr({ useRecords: true, int64AsType: 'number', moreTypes: false, copyBuffers: true });

/** The form of messages of one type. */
export const messageForm = <Message>(): MessageForm<Message> => {
  const unpacker: Unpacker<Message> = packr;
  return {
    pack: (message) => new Uint8Array(packr.pack(message)),
    unpack: (bytes) => unpacker.unpack(bytes),
  };
};
