/** What the host does for a script that an interpreter takes long for (docs/internals/step-machine.md, "What a script sees"). */

/** See the head of this file. Text has no U+0000. */
export interface NativeCodec {
  /** The UTF-8 bytes of the text; a lone surrogate becomes U+FFFD. */
  encode(text: string): ArrayBuffer;
  /** The text of the bytes; undefined when they are not UTF-8. */
  decode(bytes: ArrayBuffer): string | undefined;
  /** The bytes as base64, with padding. */
  toBase64(bytes: ArrayBuffer): string;
  /** The bytes of base64 text without anything else in it; padding may be missing. */
  fromBase64(text: string): ArrayBuffer;
  /** The same for bytes that are the characters of a text, U+0100 for 0. */
  btoa(text: string): string;
  atob(text: string): string;
  /** The hash of the bytes (`SHA-1`, `SHA-256`, `SHA-384`, `SHA-512`); undefined for another name. */
  digest(hash: string, bytes: ArrayBuffer): ArrayBuffer | undefined;
  /** HMAC (RFC 2104) of the bytes; undefined as above. */
  hmac(hash: string, key: ArrayBuffer, bytes: ArrayBuffer): ArrayBuffer | undefined;
}

declare global {
  var mvm_codec: NativeCodec | undefined;
}

/** Undefined on a host that has none. */
export const nativeCodec: NativeCodec | undefined = globalThis.mvm_codec;

/** A buffer of these bytes and no others. */
export const wholeBuffer = (bytes: Uint8Array): ArrayBuffer =>
  bytes.buffer instanceof ArrayBuffer && bytes.length === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
