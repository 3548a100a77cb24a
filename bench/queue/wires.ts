/** The queue over its two wires, without workers: publishing, whole cycles, and what an empty request costs. */
import { Dispenser, runLanes, timed, type Amount } from '../lanes.ts';
import type { Figure } from '../report.ts';
import type { Tally } from '../tally.ts';
import { measureCycle, sweep } from './cycle.ts';
import type { HttpCaller } from '../http-caller.ts';
import type { PeerCaller } from './peer-caller.ts';
import { measurePublish } from './publish-rate.ts';
import { httpQueueCaller, type QueueCaller } from './queue-caller.ts';
import type { QueueSize } from './size.ts';

/** Requests at a time, for requests that carry one job. */
export const singleLanes = 64;
const batchLanes = 8;
const batchJobs = 100;
const bulkJobs = 1_000;
const bulkLanes = 4;

const singles = ({ singles: count, figureMsMax: msMax }: QueueSize): Amount => ({ count, msMax });

/** What is measured, and with what. */
export interface WireParts {
  readonly http: HttpCaller;
  readonly peer: PeerCaller;
  readonly size: QueueSize;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** What the wires can do with requests that change nothing. */
export const measureEmptyRequests = async ({ http, peer, size, signal }: WireParts): Promise<readonly Figure[]> => [
  {
    name: 'http_empty_per_s',
    value: await emptyRate(singles(size), () => http.get('/healthz'), signal),
    what: `GET /healthz, ${singleLanes} at a time: client and server without the queue`,
  },
  {
    name: 'iroh_empty_per_s',
    value: await emptyRate(singles(size), () => peer.idle(), signal),
    what: `heartbeats that name no job, ${singleLanes} at a time on one connection: HTTP/3 over iroh without the queue`,
  },
];

// The first round is not counted: both ends still compile their code.
const emptyRate = async (requests: Amount, send: () => Promise<unknown>, signal: AbortSignal): Promise<number> => {
  const round = async (): Promise<number> => {
    const dispenser = new Dispenser(requests);
    const seconds = await timed(() =>
      runLanes(singleLanes, async () => {
        while (dispenser.take(1).length > 0) {
          signal.throwIfAborted();
          await send();
        }
      }),
    );
    return dispenser.taken / seconds;
  };
  await round();
  return round();
};

interface PublishCase {
  readonly name: string;
  readonly jobs: number;
  readonly batch: number;
  readonly lanes: number;
  readonly bound: string;
  readonly what: string;
}

const publishCases = (size: QueueSize): readonly PublishCase[] => [
  {
    name: 'publish1_per_s',
    jobs: size.publish1,
    batch: 1,
    lanes: 1,
    bound: 'sync_per_s',
    what: 'jobs published over HTTP, one request after the other',
  },
  {
    name: 'publish64_per_s',
    jobs: size.publish64,
    batch: 1,
    lanes: singleLanes,
    bound: 'http_empty_per_s',
    what: `jobs published over HTTP, one a request, ${singleLanes} requests at a time`,
  },
  {
    name: 'publish_bulk_per_s',
    jobs: size.publishBulk,
    batch: bulkJobs,
    lanes: bulkLanes,
    bound: 'store_cycle_per_s',
    what: `jobs published over HTTP, ${bulkJobs} a request, ${bulkLanes} requests at a time`,
  },
];

/** Publishing alone; the jobs are completed afterwards, untimed. */
export const measurePublishing = async (parts: WireParts): Promise<readonly Figure[]> => {
  const figures: Figure[] = [];
  const msMax = parts.size.figureMsMax;
  for (const { name, bound, what, jobs: count, ...shape } of publishCases(parts.size)) {
    parts.say(what);
    figures.push({
      name,
      bound,
      what,
      value: await measurePublish({ ...parts, ...shape, jobs: { count, msMax }, prefix: name }),
    });
    await sweep({ ...parts, caller: httpQueueCaller(parts.http), batch: bulkJobs });
  }
  return figures;
};

interface Wire {
  readonly name: string;
  readonly caller: QueueCaller;
  readonly empty: string;
  readonly what: string;
}

/** publish → claim → complete over each wire, with batches of 1 and of 100. */
export const measureCycles = async (parts: WireParts): Promise<readonly Figure[]> => {
  const { http, peer } = parts;
  const wires: readonly Wire[] = [
    { name: 'http', caller: httpQueueCaller(http), empty: 'http_empty_per_s', what: 'all three over HTTP' },
    {
      name: 'iroh',
      caller: peer.queueCaller(http),
      empty: 'iroh_empty_per_s',
      what: 'publish over HTTP, claim and complete over iroh',
    },
  ];
  const figures: Figure[] = [];
  for (const wire of wires) figures.push(await singleCycle(parts, wire), await batchedCycle(parts, wire));
  return figures;
};

const singleCycle = async (parts: WireParts, wire: Wire): Promise<Figure> => {
  const name = `${wire.name}_cycle_1_per_s`;
  const what = `publish → claim → complete, ${wire.what}, one job a request, ${singleLanes} at a time`;
  parts.say(what);
  const shape = { jobs: singles(parts.size), batch: 1, lanes: singleLanes };
  const value = await measureCycle({ ...parts, ...shape, caller: wire.caller, prefix: name });
  return { name, value, what, bound: wire.empty };
};

const batchedCycle = async (parts: WireParts, wire: Wire): Promise<Figure> => {
  const name = `${wire.name}_cycle_100_per_s`;
  const what = `publish → claim → complete, ${wire.what}, ${batchJobs} jobs a request, ${batchLanes} at a time`;
  parts.say(what);
  const { batched: count, figureMsMax: msMax } = parts.size;
  const shape = { jobs: { count, msMax }, batch: batchJobs, lanes: batchLanes };
  const value = await measureCycle({ ...parts, ...shape, caller: wire.caller, prefix: name });
  return { name, value, what, bound: 'store_cycle_per_s' };
};
