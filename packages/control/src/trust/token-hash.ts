import { createHash } from 'node:crypto';
import type { Random } from '../random.ts';

const tokenBytes = 32;

/** The hash under which a token is stored: SHA-256, which suffices for tokens that are random. */
export const tokenHash = (token: string): Uint8Array => new Uint8Array(createHash('sha256').update(token).digest());

/** A new random token, as text for a URL. */
export const newToken = (random: Random): string =>
  random.bytes(tokenBytes).toBase64({ alphabet: 'base64url', omitPadding: true });
