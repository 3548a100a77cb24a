/**
 * A journal as a timeline: one row for each thing that the workflow did, with when it began and ended, and what came of it.
 *
 * 1. An `intents` entry has no time of its own: it is that of the entry before, since guest time stands still in between.
 * 2. An effect without an answer is under way, or its outcome was lost with its worker: the journal can't tell which.
 */
import { durationText } from '../format/time.ts';
import type { ShownAnswer, ShownEntry, ShownIntent } from './shown-entry.ts';

/** How an effect is treated when its outcome gets lost (docs/guides/workflows.md). */
type EffectClass = 'idempotent' | 'at-most-once' | 'internal';

/** How a row ended. */
type RowOutcome = 'open' | 'ok' | 'failed' | 'abandoned' | 'none';

/** One row. Times are Unix ms. */
export interface TimelineRow {
  /** Unique in the timeline. */
  readonly key: string;
  readonly seq: number;
  readonly kind: string;
  readonly text: string;
  readonly effectClass: EffectClass | undefined;
  readonly startedAtMs: number;
  /** Undefined: it has not ended, or takes no time. */
  readonly endedAtMs: number | undefined;
  readonly outcome: RowOutcome;
  /** What came of it, in a few words. */
  readonly outcomeText: string;
  /** Job that it speaks of. */
  readonly job: string | undefined;
  /** How many groups it is in. */
  readonly depth: number;
  /** What was asked and told, to look into. */
  readonly details: readonly unknown[];
}

type Draft = { -readonly [K in keyof TimelineRow]: TimelineRow[K] };

/** The rows of a journal, in the order in which things began. */
export const timeline = (entries: readonly ShownEntry[]): readonly TimelineRow[] => {
  const builder = new TimelineBuilder();
  for (const entry of entries) builder.add(entry);
  return builder.rows;
};

class TimelineBuilder {
  readonly rows: Draft[] = [];
  readonly #calls = new Map<number, Draft>();
  readonly #groups = new Map<number, Draft>();
  #now = 0;

  add(entry: ShownEntry): void {
    if (entry.kind !== 'intents') this.#now = Math.max(this.#now, entry.at);
    switch (entry.kind) {
      case 'started':
        return this.#point(entry, 'started', entry.workflow);
      case 'intents':
        return entry.intents.forEach((intent, index) => this.#ask(entry.seq, index, intent));
      case 'answered':
        return this.#answer(entry.call, entry.answer);
      case 'ran':
        return this.#point(entry, 'run', entry.name);
      case 'completed':
        return this.#point(entry, 'completed', '');
      case 'failed':
        this.#point(entry, 'failed', `${entry.code}: ${entry.message}`);
        return this.#settle(this.rows.at(-1), 'failed', '');
    }
  }

  #ask(seq: number, index: number, intent: ShownIntent): void {
    if (intent.type === 'log' || intent.type === 'progress') return;
    if (intent.type === 'complete' || intent.type === 'fail') return;
    if (intent.type === 'abandon') return this.#settle(this.#calls.get(intent.call), 'abandoned', 'no longer wanted');
    if (intent.type === 'group' && intent.action === 'close') {
      this.#settle(this.#groups.get(intent.id), 'ok', '');
      return void this.#groups.delete(intent.id);
    }
    const { text, effectClass, job } = asked(intent);
    const isOpen = 'call' in intent || intent.type === 'group';
    const row = this.#row({ key: `${seq}.${index}`, seq, kind: intent.type, text });
    Object.assign(row, {
      effectClass,
      job,
      outcome: isOpen ? 'open' : 'none',
      details: [intent],
    } satisfies Partial<Draft>);
    if ('call' in intent) this.#calls.set(intent.call, row);
    if (intent.type === 'group') this.#groups.set(intent.id, row);
  }

  #answer(call: number, answer: ShownAnswer): void {
    const row = this.#calls.get(call);
    if (row === undefined) return;
    const { outcome, text, job } = told(answer);
    row.details = [...row.details, answer];
    row.job ??= job;
    this.#settle(row, outcome, text);
  }

  /** What takes no time, and is an entry of its own. */
  #point(entry: ShownEntry, kind: string, text: string): void {
    const row = this.#row({ key: String(entry.seq), seq: entry.seq, kind, text });
    row.details = [entry];
  }

  #row({ key, seq, kind, text }: Pick<TimelineRow, 'key' | 'seq' | 'kind' | 'text'>): Draft {
    const row: Draft = {
      key,
      seq,
      kind,
      text,
      effectClass: undefined,
      startedAtMs: this.#now,
      endedAtMs: undefined,
      outcome: 'none',
      outcomeText: '',
      job: undefined,
      depth: this.#groups.size,
      details: [],
    };
    this.rows.push(row);
    return row;
  }

  #settle(row: Draft | undefined, outcome: RowOutcome, text: string): void {
    if (row === undefined) return;
    row.outcome = outcome;
    row.outcomeText = text;
    if (row.outcome !== 'none' && row.kind !== 'failed') row.endedAtMs = this.#now;
  }
}

/** The intents that have a row of their own. */
type RowIntent = Exclude<ShownIntent, { readonly type: 'abandon' | 'log' | 'progress' | 'complete' | 'fail' }>;

interface Asked {
  readonly text: string;
  readonly effectClass?: EffectClass;
  readonly job?: string;
}

const asked = (intent: RowIntent): Asked => {
  switch (intent.type) {
    case 'fetch':
      return { text: `${intent.method} ${intent.url}`, effectClass: fetchClass(intent.method, intent.idempotent) };
    case 'sleep':
      return { text: durationText(intent.ms), effectClass: 'internal' };
    case 'receive':
      return { text: intent.types === null ? 'any message' : intent.types.join(', '), effectClass: 'internal' };
    case 'start':
      return { text: intent.workflow, effectClass: 'internal', ...(intent.job !== null && { job: intent.job }) };
    case 'join':
      return { text: 'the end of', effectClass: 'internal', job: intent.job };
    case 'send':
      return { text: `${intent.messageType} to`, effectClass: 'internal', job: intent.job };
    case 'respond':
      return { text: intent.value };
    case 'group':
      return { text: intent.name };
    case 'version':
      return { text: intent.change };
  }
};

/** Methods that may be sent twice (RFC 9110, section 9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

const fetchClass = (method: string, said: boolean | null): EffectClass =>
  (said ?? idempotentMethods.has(method.toUpperCase())) ? 'idempotent' : 'at-most-once';

interface Told {
  readonly outcome: 'ok' | 'failed';
  readonly text: string;
  readonly job?: string;
}

const told = (answer: ShownAnswer): Told => {
  switch (answer.type) {
    case 'fetched': {
      const { status, statusText } = answer.response;
      return { outcome: status < 400 ? 'ok' : 'failed', text: `${status} ${statusText}`.trim() };
    }
    case 'error':
      return { outcome: 'failed', text: `${answer.code}: ${answer.message}` };
    case 'message':
      return { outcome: 'ok', text: `${answer.messageType}${answer.from === null ? '' : ` from ${answer.from}`}` };
    case 'started':
      return { outcome: 'ok', text: 'started', job: answer.job };
    case 'joined':
      return { outcome: answer.outcome.type === 'completed' ? 'ok' : 'failed', text: answer.outcome.type };
    case 'slept':
      return { outcome: 'ok', text: '' };
    case 'sent':
      return { outcome: 'ok', text: 'sent' };
  }
};
