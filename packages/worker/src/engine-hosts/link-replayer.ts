/** Replays in an engine at the other end of a link. The journal goes there with each: the engine keeps nothing. */
import type { QueryRequest, Replayer, ReplayReport, ReplayRequest } from '@mvm-ci/engine';
import { errorFromRecord, mvmError, type ErrandOutcome, type MvmError } from '@mvm-ci/protocol';
import { LinkReplay, type LinkReplayOptions } from './link-replay.ts';
import type { LinkConnection } from './link-dialer.ts';

export interface LinkReplayerOptions extends Pick<LinkReplayOptions, 'modules' | 'clock'> {
  readonly connection: () => Promise<LinkConnection>;
}

interface ReplayOptions {
  readonly signal?: AbortSignal | undefined;
}

const never = new AbortController().signal;

export class LinkReplayer implements Replayer {
  readonly #options: LinkReplayerOptions;

  constructor(options: LinkReplayerOptions) {
    this.#options = options;
  }

  /** Without the logged lines: they don't come over the link. */
  async replay(request: ReplayRequest, options?: ReplayOptions): Promise<ReplayReport> {
    const outcome = await this.#outcome(request, options);
    if ('verdict' in outcome) return { ...outcome.verdict, logs: [] };
    throw failureOf(outcome);
  }

  async query(request: QueryRequest, options?: ReplayOptions): Promise<string> {
    const outcome = await this.#outcome(request, options);
    if ('answer' in outcome) return outcome.answer;
    throw failureOf(outcome);
  }

  async #outcome(
    request: LinkReplayOptions['request'],
    { signal = never }: ReplayOptions = {},
  ): Promise<ErrandOutcome> {
    const { connection, modules, clock } = this.#options;
    const { open } = await connection();
    return new LinkReplay({ open, request, modules, clock, signal }).ended;
  }
}

const failureOf = (outcome: ErrandOutcome): MvmError =>
  'error' in outcome
    ? errorFromRecord(outcome.error)
    : mvmError('INVALID_ARGUMENT', 'the engine answered another question than the one it was asked');
