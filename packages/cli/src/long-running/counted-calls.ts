import type { Standalone } from '@mvm-ci/control';
import type { JournalCounts } from '@mvm-ci/flawless';
import type { AppendItem, CallRequest, Clock, FinishItem } from '@mvm-ci/protocol';
import type { LocalPeer } from '@mvm-ci/worker';

/** The calls of a worker to the queue in its process; counts what they add to journals, and how long that takes to be durable. */
export class CountedCalls implements LocalPeer {
  readonly #alone: Pick<Standalone, 'call'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #counts = { entries: 0, bytes: 0, commits: 0, seconds: 0 };

  constructor(alone: Pick<Standalone, 'call'>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#alone = alone;
    this.#clock = clock;
  }

  get counts(): JournalCounts {
    return { ...this.#counts };
  }

  async call(request: CallRequest, options: { readonly signal: AbortSignal }): Promise<unknown> {
    if (request.route !== 'append' && request.route !== 'finish') return this.#alone.call(request, options);
    const startMs = this.#clock.monotonicMs();
    const answer = await this.#alone.call(request, options);
    this.#counts.commits += 1;
    this.#counts.seconds += (this.#clock.monotonicMs() - startMs) / 1_000;
    for (const { count, bytes } of batchesIn(request.body)) {
      this.#counts.entries += count;
      this.#counts.bytes += bytes.length;
    }
    return answer;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

type Batch = Pick<AppendItem, 'count' | 'bytes'>;

// The bodies are the worker's own, as the types of the routes say.
const batchesIn = (body: unknown): readonly Batch[] => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  const { appends = [], finishes = [] } = body as {
    readonly appends?: readonly AppendItem[];
    readonly finishes?: readonly FinishItem[];
  };
  return [...appends, ...finishes.flatMap(({ append }) => append ?? [])];
};
