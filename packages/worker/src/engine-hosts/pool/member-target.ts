/** What discovery finds: servers by their URLs, made of a list, of addresses or of SRV records. */
import type { MemberSource } from '../engine-setting.ts';
import { poolLimits } from '../../limits.ts';

/** A server to be a member of the pool. Two with the same `id` are the same server. */
export interface MemberTarget {
  readonly id: string;
  readonly url: string;
  /** The address to connect to where `url` holds a name that TLS must see; otherwise the URL says it. */
  readonly address?: string | undefined;
  /** Lower comes first. */
  readonly priority: number;
  /** Size beside the others of its priority, above 0 and at most 1. */
  readonly weight: number;
}

/** An SRV record (RFC 2782). */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** The servers of a list, all alike. */
export const urlTargets = (urls: readonly string[]): readonly MemberTarget[] =>
  bounded(urls.map((url) => ({ id: url, url, priority: 0, weight: 1 })));

/** A server per address. Over TLS the name stays in the URL: a certificate names it, and not the address. */
export const addressTargets = (
  { scheme, name, port }: MemberSource & { readonly type: 'dns' },
  addresses: readonly string[],
): readonly MemberTarget[] =>
  bounded(
    [...new Set(addresses)].sort().map((address) => {
      const host = address.includes(':') ? `[${address}]` : address;
      const id = `${scheme}://${host}:${port}`;
      const place = scheme === 'https' ? { url: `https://${name}:${port}`, address } : { url: id };
      return { id, ...place, priority: 0, weight: 1 };
    }),
  );

/**
 * A server per record. Weights are taken relative to the largest of their priority; RFC 2782 wants "a very small chance" for
 * weight 0 beside others. The target "." says that there is no such service.
 */
export const serviceTargets = (
  { scheme }: MemberSource & { readonly type: 'srv' },
  records: readonly ServiceRecord[],
): readonly MemberTarget[] => {
  const usable = records.filter(({ name, port }) => name.replace(/\.$/, '') !== '' && port > 0);
  const byId = new Map<string, MemberTarget>();
  for (const { name, port, priority, weight } of usable.toSorted(byPriority)) {
    const id = `${scheme}://${name.replace(/\.$/, '').toLowerCase()}:${port}`;
    const largest = Math.max(...usable.filter((other) => other.priority === priority).map((other) => other.weight));
    const target = { id, url: id, priority, weight: largest === 0 ? 1 : Math.max(0.01, weight / largest) };
    if (!byId.has(id)) byId.set(id, target);
  }
  return bounded([...byId.values()]);
};

const byPriority = (a: ServiceRecord, b: ServiceRecord): number =>
  a.priority - b.priority || a.name.localeCompare(b.name) || a.port - b.port;

const bounded = (targets: readonly MemberTarget[]): readonly MemberTarget[] => targets.slice(0, poolLimits.membersMax);
