import { limits, RetryLaterError, type ClaimedJob, type InboxItem } from '@mvm-ci/protocol';
import { Backoff } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { ControlPlane } from '../control-plane.ts';
import { workerLimits } from '../limits.ts';
import type { Random } from '../random.ts';

export interface HeldInboxOptions {
  readonly claimed: ClaimedJob;
  readonly controlPlane: Pick<ControlPlane, 'inbox'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** The inbox of a held job, as its holder asks for it: `docs/internals/inbox.md`. */
export class HeldInbox {
  readonly #options: HeldInboxOptions;

  constructor(options: HeldInboxOptions) {
    this.#options = options;
  }

  /** Waits until there are items above `after`; resolves with none when `signal` fires. @throws what the control plane refuses */
  async after(after: number, signal: AbortSignal): Promise<readonly InboxItem[]> {
    while (!signal.aborted) {
      const items = await this.#ask(after, { waitMs: workerLimits.inboxWaitMs, signal });
      if (items.length > 0) return items;
    }
    return [];
  }

  /** What follows a first page that was full, up to the end. @throws what the control plane refuses */
  async rest(page: readonly InboxItem[], signal: AbortSignal): Promise<readonly InboxItem[]> {
    const items: InboxItem[] = [];
    let last = page;
    while (last.length >= limits.inboxPageItems && !signal.aborted) {
      last = await this.#ask(last.at(-1)?.number ?? 0, { waitMs: 0, signal });
      items.push(...last);
    }
    return items;
  }

  /** Asks until there is an answer; one of nothing when `signal` fires. */
  async #ask(
    after: number,
    { waitMs, signal }: { waitMs: number; signal: AbortSignal },
  ): Promise<readonly InboxItem[]> {
    const { claimed, controlPlane, clock, random } = this.#options;
    const { job, epoch } = claimed;
    const backoff = new Backoff(clock, random);
    const deadlineMs = waitMs + workerLimits.requestMs;
    while (!signal.aborted) {
      try {
        return (await controlPlane.inbox({ job, epoch, after, waitMs }, { signal, deadlineMs })).items;
      } catch (error) {
        if (signal.aborted) return [];
        if (!(error instanceof RetryLaterError)) throw error;
        await backoff.wait(signal);
      }
    }
    return [];
  }
}
