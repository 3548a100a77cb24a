/**
 * One job at a server without the engine link: deploy its module, start its workflow, wait for the answer. The start is journalled as
 * an effect (`start-journal.ts`), and what the server answers is the job's end.
 *
 *   1. The start request leaves only when its entry is durable and the lease holds (I4), and at most once unless it is certain
 *      that not a byte of it left (I5).
 *   2. A start whose answer is lost ends the job as OUTCOME_UNKNOWN: the workflow may be running there, and may end.
 *   3. Once started, a workflow can't be stopped: `cancel` and `release` say so and wait for its answer; `drop` lets go of it.
 */
import {
  asMvmError,
  MvmError,
  mvmError,
  type ClaimedJob,
  type Clock,
  type FailedEntry,
  type FinishOutcome,
  type JournalEntry,
  type Logger,
} from '@mvm-ci/protocol';
import type { HostPorts, HostRun, HostRunEnd, OpenedJournal } from '../../engine-host.ts';
import { foreignLimits } from '../../limits.ts';
import { readStarted, startRequest, type Deployed, type ForeignServer } from './flawless-api.ts';
import type { HttpAnswer, HttpRequest, SendHttp } from './http.ts';
import { answeredEntry, noteEntry, requestEntry, startedEntry, startPosition, unsentEntry } from './start-journal.ts';
import { jobFacts } from '../../lease-span.ts';

export interface ForeignRunParts {
  readonly server: ForeignServer;
  readonly http: SendHttp;
  /**
   * The module as the server knows it. @throws MODULE_INVALID when it can't run there; what the module source throws;
   * CONNECTION_LOST, UNAUTHENTICATED, UNAVAILABLE when the server can't be used now
   */
  readonly deploy: (module: string, signal: AbortSignal) => Promise<Deployed>;
  /** A start could not be sent. @returns true when the server answers again; false when it is away for too long */
  readonly untilBack: (error: MvmError, signal: AbortSignal) => Promise<boolean>;
  /** The server refused a start: it may not know the module any more. */
  readonly onRefused: (module: string) => void;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly logger: Logger;
}

type Sink = OpenedJournal['sink'];
type Sending = { readonly call: number; readonly request: HttpRequest };

/** What became of a start request. */
type Sent =
  | { readonly type: 'answered'; readonly answer: HttpAnswer }
  | { readonly type: 'lost'; readonly error: MvmError }
  | { readonly type: 'unsent'; readonly error: MvmError };

export class ForeignRun implements HostRun {
  readonly ended: Promise<HostRunEnd>;
  readonly #job: ClaimedJob;
  readonly #ports: HostPorts;
  readonly #parts: ForeignRunParts;
  readonly #dropped = new AbortController();
  /** Fires when the job shall not be started any more. */
  readonly #wished = new AbortController();
  #wish: 'run' | 'cancel' | 'release' = 'run';
  #sink: Sink | undefined;
  #isStarted = false;

  /** Begins at once. */
  constructor(job: ClaimedJob, ports: HostPorts, parts: ForeignRunParts) {
    this.#job = job;
    this.#ports = ports;
    this.#parts = parts;
    this.ended = this.#run();
  }

  cancel(reason: string): void {
    this.#say(`it can't be cancelled (${reason}): an engine server without the engine link has no way to`);
    this.#stopStarting('cancel');
  }

  release(): void {
    this.#say("it can't be given back: its workflow goes on at the engine server, which can't be told");
    if (this.#wish === 'run') this.#stopStarting('release');
  }

  drop(): void {
    if (this.#isStarted) this.#log('it is let go of here, and its workflow goes on at the engine server');
    this.#isStarted = false;
    this.#dropped.abort();
    this.#wished.abort();
  }

  async #run(): Promise<HostRunEnd> {
    const { entries, sink } = await this.#ports.openJournal();
    this.#sink = sink;
    const position = startPosition(entries);
    if (position.type === 'unknown') return this.#end([], unknownOutcome('the worker that started it was lost'));
    const module = await this.#deploy();
    if (this.#wished.signal.aborted) return this.#endUnstarted();
    if (module instanceof MvmError) return { type: 'interrupted', error: module };
    return this.#startUntilSent(module, position.type === 'ready' ? position.call : 1);
  }

  /** The deployed module, or why there is none for now. */
  async #deploy(): Promise<Deployed | MvmError> {
    try {
      return await this.#parts.deploy(this.#job.module, this.#wished.signal);
    } catch (thrown) {
      const error = asMvmError(thrown);
      if (this.#wished.signal.aborted || isServerAway(error)) return error;
      throw error;
    }
  }

  async #startUntilSent(module: Deployed, firstCall: number): Promise<HostRunEnd> {
    const request = startRequest(this.#parts.server, module, this.#job);
    const lastCall = firstCall + foreignLimits.startTriesMax;
    for (let call = firstCall; call < lastCall && !this.#wished.signal.aborted; call += 1) {
      if (!(await this.#maySend({ call, request }))) return { type: 'dropped' };
      const sent = await this.#send(request);
      if (this.#dropped.signal.aborted) return { type: 'dropped' };
      if (sent.type !== 'unsent') return this.#judge({ call, request }, sent);
      if (!(await this.#append([unsentEntry(call, sent.error.message, this.#nowMs)]))) return { type: 'dropped' };
      if (!(await this.#parts.untilBack(sent.error, this.#wished.signal))) this.release();
    }
    return this.#endUnstarted();
  }

  /** Rule 1. The lease is asked for before as well: an entry that no request follows would be an unknown outcome. */
  async #maySend({ call, request }: Sending): Promise<boolean> {
    const { signal } = this.#dropped;
    if (!(await this.#ports.mayStartEffect(signal))) return false;
    const first = call === 1 ? this.#firstEntries : [];
    if (!(await this.#append([...first, requestEntry(call, request)]))) return false;
    return (await this.#ports.mayStartEffect(signal)) && !signal.aborted;
  }

  get #firstEntries(): readonly JournalEntry[] {
    const text = `the job runs at ${this.#parts.server.url}, an engine server without the engine link: it is neither resumed nor cancelled there`;
    this.#log(text);
    return [startedEntry(this.#job, this.#nowMs), noteEntry(text)];
  }

  async #send(request: HttpRequest): Promise<Sent> {
    if (this.#wished.signal.aborted)
      return { type: 'unsent', error: mvmError('CANCELLED', 'nobody wants it any more') };
    this.#isStarted = true;
    try {
      return { type: 'answered', answer: await this.#parts.http(request, { signal: this.#dropped.signal }) };
    } catch (thrown) {
      const error = asMvmError(thrown);
      const isUnsent = error.code === 'CONNECTION_LOST' && error.details?.['isSent'] === false;
      if (isUnsent) this.#isStarted = false;
      return { type: isUnsent ? 'unsent' : 'lost', error };
    }
  }

  #judge({ call, request }: Sending, sent: Exclude<Sent, { readonly type: 'unsent' }>): Promise<HostRunEnd> {
    if (sent.type === 'lost') return this.#end([], unknownOutcome(sent.error.message));
    const entry = answeredEntry(call, request, { ...sent.answer, at: this.#nowMs });
    const reply = readStarted(sent.answer);
    switch (reply.type) {
      case 'ok':
        return this.#complete(entry, reply.value);
      case 'unclear':
        return this.#end([entry], unknownOutcome(`it answered with ${reply.message}`));
      case 'unauthenticated':
      case 'refused':
        this.#parts.onRefused(this.#job.module);
        return this.#end([entry], failed(`the engine server answered: ${reply.message}`));
    }
  }

  #complete(answered: JournalEntry, result: string): Promise<HostRunEnd> {
    return this.#finish([answered, { kind: 'completed', at: this.#nowMs, result }], { type: 'completed', result });
  }

  #end(entries: readonly JournalEntry[], outcome: FinishOutcome & { readonly type: 'failed' }): Promise<HostRunEnd> {
    const { code, message } = outcome.error;
    const entry: FailedEntry = { kind: 'failed', at: this.#nowMs, code, message };
    return this.#finish([...entries, entry], outcome);
  }

  /** Nothing was started, or it is certain that it was not. */
  #endUnstarted(): Promise<HostRunEnd> {
    if (this.#dropped.signal.aborted) return Promise.resolve({ type: 'dropped' });
    return this.#finish([], { type: this.#wish === 'cancel' ? 'cancelled' : 'released' });
  }

  /** What the control plane refuses, the job's holder hears from its journal. */
  async #finish(entries: readonly JournalEntry[], outcome: FinishOutcome): Promise<HostRunEnd> {
    this.#isStarted = false;
    try {
      await this.#sink?.finish(entries, outcome);
      return { type: 'finished', outcome };
    } catch (error) {
      if (error instanceof MvmError) return { type: 'dropped' };
      throw error;
    }
  }

  /** @returns whether they are durable */
  async #append(entries: readonly JournalEntry[]): Promise<boolean> {
    try {
      await this.#sink?.append(entries);
      return true;
    } catch (error) {
      if (error instanceof MvmError) return false;
      throw error;
    }
  }

  #stopStarting(wish: 'cancel' | 'release'): void {
    this.#wish = wish;
    this.#wished.abort();
  }

  /** Says it here and in the job's own log, while the workflow runs. */
  #say(text: string): void {
    if (!this.#isStarted || this.#dropped.signal.aborted) return;
    this.#log(text);
    this.#append([noteEntry(text)]).catch((error: unknown) => this.#log(String(error)));
  }

  #log(text: string): void {
    const { server, logger } = this.#parts;
    logger.warn({ ...jobFacts(this.#job), url: server.url }, `job ${this.#job.job}: ${text}`);
  }

  get #nowMs(): number {
    return Math.floor(this.#parts.clock.wallMs());
  }
}

const unknownOutcome = (reason: string): FinishOutcome & { readonly type: 'failed' } => ({
  type: 'failed',
  error: {
    code: 'OUTCOME_UNKNOWN',
    message: `the workflow was started at an engine server without the engine link, and its end is unknown: ${reason}`,
  },
  retryable: false,
});

const failed = (message: string): FinishOutcome & { readonly type: 'failed' } => ({
  type: 'failed',
  error: { code: 'WORKFLOW_FAILED', message },
  retryable: true,
});

/** Nobody's fault: the job waits for the server. */
const isServerAway = ({ code }: MvmError): boolean =>
  code === 'CONNECTION_LOST' || code === 'UNAUTHENTICATED' || code === 'UNAVAILABLE' || code === 'DEADLINE_EXCEEDED';
