/** Name lookups over this machine's resolver. */
import { promises as dns, type RecordWithTtl } from 'node:dns';
import type { Dns, Found } from './dns.ts';
import { poolLimits } from '../../limits.ts';

export interface SystemDnsOptions {
  /** Name servers to ask, `ADDRESS` or `ADDRESS:PORT`. @default the machine's own */
  readonly servers?: readonly string[] | undefined;
}

/**
 * Asks the name servers, because only they tell how long an answer holds. A name that they don't know is looked up as the
 * machine does it for every program: that knows the hosts file and the search domains (Kubernetes' short names).
 */
export const systemDns = ({ servers }: SystemDnsOptions = {}): Dns => ({
  addresses: async (name, signal) => {
    const found = await withResolver(servers, signal, async (resolver) =>
      addressesFrom(
        await Promise.allSettled([resolver.resolve4(name, { ttl: true }), resolver.resolve6(name, { ttl: true })]),
      ),
    );
    return found.records.length > 0 || servers ? found : machineLookup(name);
  },
  services: (name, signal) =>
    withResolver(servers, signal, async (resolver) => {
      const [answer] = await Promise.allSettled([resolver.resolveSrv(name)]);
      return { records: orNothing(answer), isPartial: false };
    }),
});

type Resolver = InstanceType<typeof dns.Resolver>;

const withResolver = async <T>(
  servers: readonly string[] | undefined,
  signal: AbortSignal,
  ask: (resolver: Resolver) => Promise<T>,
): Promise<T> => {
  const resolver = new dns.Resolver({ timeout: poolLimits.lookupMs / 4, tries: 2 });
  if (servers) resolver.setServers(servers);
  const cancel = (): void => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await ask(resolver);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

type Settled<T> = PromiseSettledResult<readonly T[]>;

/** Fails only when neither family got an answer. */
const addressesFrom = ([four, six]: readonly [Settled<RecordWithTtl>, Settled<RecordWithTtl>]): Found<string> => {
  const isPartial = isFailure(four) || isFailure(six);
  if (isPartial && (isFailure(four) || isEmpty(four)) && (isFailure(six) || isEmpty(six)))
    throw isFailure(four) ? four.reason : isFailure(six) ? six.reason : new Error('no answer');
  const records = [four, six].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const ttlMs = records.length > 0 ? Math.min(...records.map(({ ttl }) => ttl)) * 1_000 : undefined;
  return { records: records.map(({ address }) => address), ttlMs, isPartial };
};

const isEmpty = (answer: Settled<unknown>): boolean => answer.status === 'rejected' || answer.value.length === 0;

const isFailure = (answer: Settled<unknown>): answer is PromiseRejectedResult =>
  answer.status === 'rejected' && !isNothing(answer.reason);

const orNothing = <T>(answer: Settled<T>): readonly T[] => {
  if (answer.status === 'fulfilled') return answer.value;
  if (isNothing(answer.reason)) return [];
  throw answer.reason;
};

/** The name, or records of that type, don't exist: an answer, if an empty one. */
const isNothing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOTFOUND' || error.code === 'ENODATA');

const machineLookup = async (name: string): Promise<Found<string>> => {
  const [answer] = await Promise.allSettled([dns.lookup(name, { all: true })]);
  return { records: orNothing(answer).map(({ address }) => address), isPartial: false };
};
