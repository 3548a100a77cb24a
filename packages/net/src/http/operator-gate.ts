/**
 * Who counts as the operator on an HTTP listener (design, "Trust"): whoever reaches a loopback address, unless a token is
 * set; with a token, whoever sends it. On loopback, what a browser sends on behalf of another site is refused.
 */
import { mvmError, routes } from '@mvm-ci/protocol';
import { createHash, timingSafeEqual } from 'node:crypto';

/** How the listener is bound, and what it demands. */
export interface OperatorGateOptions {
  readonly host: string;
  /** Null: none is demanded. */
  readonly token: string | null;
  /** What refusals call it. @default 'the operator’s token' */
  readonly tokenName?: string | undefined;
}

/** What the gate sees of a request. */
export interface GatedRequest {
  readonly url: string;
  readonly headers: { readonly get: (name: string) => string | null };
}

/** Lets a request in, or throws UNAUTHENTICATED or FORBIDDEN. */
export type OperatorGate = (request: GatedRequest) => void;

const openPaths: ReadonlySet<string> = new Set([routes.health, routes.ready]);

/** The gate of a listener. */
export const operatorGate = ({
  host,
  token,
  tokenName = 'the operator’s token',
}: OperatorGateOptions): OperatorGate => {
  const digest = token === null ? null : sha256(token);
  const isLocal = isLoopback(host);
  return (request) => {
    if (isLocal) demandSameSite(request, host);
    if (digest !== null && !openPaths.has(new URL(request.url).pathname)) demandToken(request, { digest, tokenName });
  };
};

/** Whether a host name or address can only be reached from this machine. */
export const isLoopback = (host: string): boolean => {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name);
};

// A page of another site can make a browser send requests here, by a name that it lets point here (DNS rebinding) too.
const demandSameSite = (request: GatedRequest, bound: string): void => {
  const host = request.headers.get('host') ?? '';
  const name = host.replace(/:\d+$/, '');
  if (!isLoopback(name) && name !== bound) {
    throw mvmError('FORBIDDEN', `the Host header is a loopback name here, not "${host}"`, { received: host });
  }
  const origin = request.headers.get('origin');
  if (origin === null || URL.parse(origin)?.host === host) return;
  throw mvmError('FORBIDDEN', `a page of ${origin} may not use this server`, { received: origin });
};

interface Demand {
  readonly digest: Uint8Array;
  readonly tokenName: string;
}

const demandToken = (request: GatedRequest, { digest, tokenName }: Demand): void => {
  const header = request.headers.get('authorization');
  const sent = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (sent === undefined) {
    throw mvmError('UNAUTHENTICATED', `${tokenName} is demanded here: Authorization: Bearer …`);
  }
  // Hashes have one length, and comparing them takes one time.
  if (!timingSafeEqual(sha256(sent), digest)) throw mvmError('UNAUTHENTICATED', `this is not ${tokenName}`);
};

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();
