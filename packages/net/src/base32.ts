/** Base32 (RFC 4648 section 6) in lower case without padding: a double click selects it whole, and it survives chat and shells. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Encodes bytes; 8 characters for each 5 bytes. */
export const base32Encode = (bytes: Uint8Array): string => {
  let text = '';
  let held = 0;
  let heldBits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    heldBits += 8;
    while (heldBits >= 5) {
      heldBits -= 5;
      text += alphabet[(held >> heldBits) & 31] ?? '';
    }
    held &= (1 << heldBits) - 1;
  }
  return heldBits === 0 ? text : text + (alphabet[(held << (5 - heldBits)) & 31] ?? '');
};

/** Decodes either case; undefined for a foreign character or for bits that no encoder leaves over. */
export const base32Decode = (text: string): Uint8Array | undefined => {
  const bytes: number[] = [];
  let held = 0;
  let heldBits = 0;
  for (const character of text.toLowerCase()) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    heldBits += 5;
    if (heldBits < 8) continue;
    heldBits -= 8;
    bytes.push(held >> heldBits);
    held &= (1 << heldBits) - 1;
  }
  return heldBits >= 5 || held !== 0 ? undefined : Uint8Array.from(bytes);
};
