/**
 * Knows when jobs change: from the control plane's event stream, resumed where it broke off; while that does not come
 * through, by asking now and then. Owns the one stream of this tab.
 *
 * 1. A follower is told of a job as it is now, or of `undefined`: anything may have changed, look again.
 * 2. A tab that nobody sees holds no connection: a browser has six for all tabs of a server.
 */
import { routePath, type JobView } from '@mvm-ci/protocol';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { eventJob, send } from '../api/request.ts';
import { session } from '../api/session.ts';
import { Observable } from '../observable.ts';
import { pause, seen } from './visibility.ts';

/** How fresh the page is; `hidden`: nobody looks at it. */
export type Freshness = 'connecting' | 'live' | 'polling' | 'hidden';

type Follower = (job: JobView | undefined) => void;

const pollMs = 3_000;

class JobFeed {
  readonly freshness = new Observable<Freshness>('connecting');
  readonly #followers = new Set<Follower>();
  #last: string | undefined;
  #isStarted = false;

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    void this.#watch();
  }

  /** @returns what ends it */
  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** Has everybody look again, after something was done here. */
  touch(): void {
    this.#tell(undefined);
  }

  async #watch(): Promise<never> {
    for (;;) {
      if (document.hidden) this.freshness.set('hidden');
      const visible = await seen();
      await session.admitted();
      const wasLive = await this.#read(visible);
      if (visible.aborted) continue;
      this.freshness.set(wasLive ? 'connecting' : 'polling');
      await pause(wasLive ? 200 : pollMs);
      this.#tell(undefined);
    }
  }

  /** Reads one stream to its end. @returns whether it came through */
  async #read(visible: AbortSignal): Promise<boolean> {
    let isLive = false;
    try {
      const path = routePath('events', {}, { after: this.#last });
      const { body } = await send(path, { accept: 'text/event-stream', signal: visible });
      if (body === null) return false;
      for await (const event of body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())) {
        isLive = true;
        this.#last = event.id ?? this.#last;
        if (event.event === 'job') this.#tell(eventJob(event.data));
        else this.#begin();
      }
    } catch {
      // Whatever broke it: it is opened again.
    }
    return isLive;
  }

  #begin(): void {
    this.freshness.set('live');
    this.#tell(undefined);
  }

  #tell(job: JobView | undefined): void {
    for (const follower of this.#followers) follower(job);
  }
}

/** The feed of this tab. */
export const jobFeed: JobFeed = new JobFeed();
