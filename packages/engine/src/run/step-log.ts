/**
 * The journal of one attempt as the steps that it holds: the entries between two `intents` entries are one activation
 * (step-machine.md, rule 1). It owns the attempt's time, which never goes back (rule 6).
 */
import type { Intent, JournalEntry } from '@mvm-ci/protocol';
import type { GuestEvent, GuestStep } from './activation.ts';
import { entryBytes } from './entry-size.ts';
import type { RunHead } from './run-head.ts';

interface RecordedStep extends GuestStep {
  /** Number of the step's `intents` entry. */
  readonly entry: number;
}

export class StepLog {
  #recorded: RecordedStep[] = [];
  /** Steps and entries at the beginning that it doesn't have. */
  #leftOut = { steps: 0, entries: 0 };
  #tail: GuestEvent[] = [];
  #length = 0;
  #bytes = 0;
  #now = 0;
  #last: JournalEntry | undefined;

  /** @param head stands for the first entries @default there are none */
  constructor(head?: Pick<RunHead, 'steps' | 'entries' | 'bytes' | 'now'>) {
    if (!head) return;
    this.#leftOut = { steps: head.steps, entries: head.entries };
    this.#length = head.entries;
    this.#bytes = head.bytes;
    this.#now = head.now;
  }

  /** Takes over the entries that a head stood for, from a journal that has at least these. */
  recall(journal: readonly JournalEntry[]): void {
    const first = new StepLog();
    for (const entry of journal.slice(0, this.#leftOut.entries)) first.add(entry);
    this.#recorded = [...first.#recorded, ...this.#recorded];
    this.#leftOut = { steps: 0, entries: 0 };
  }

  /** Whether it has the steps from number `first` on. */
  has(first: number): boolean {
    return first >= this.#leftOut.steps;
  }

  /** Entries so far. */
  get length(): number {
    return this.#length;
  }

  /** About how many bytes the entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Guest time: the time of the last entry that has one, Unix ms. */
  get now(): number {
    return this.#now;
  }

  get last(): JournalEntry | undefined {
    return this.#last;
  }

  /** Whether there are events that the guest hasn't been told. */
  get hasTail(): boolean {
    return this.#tail.length > 0;
  }

  /** What the last step asked for. */
  get lastIntents(): readonly Intent[] {
    return this.#recorded.at(-1)?.recorded ?? [];
  }

  /** The time for an entry that is written at host time `now`. */
  at(now: number): number {
    return Math.max(this.#now, Math.floor(now));
  }

  add(entry: JournalEntry): void {
    this.#take(entry);
    this.#last = entry;
    this.#length += 1;
    this.#bytes += entryBytes(entry);
  }

  /** Steps whose intents are recorded. */
  get recordedSteps(): number {
    return this.#leftOut.steps + this.#recorded.length;
  }

  /** Steps so far: the recorded ones, and the one that isn't recorded yet, if it has events. */
  get steps(): number {
    return this.recordedSteps + (this.hasTail ? 1 : 0);
  }

  /** The recorded steps from number `first` on (from 0; it must have them), and the one that isn't recorded yet, if it has events. */
  stepsFrom(first: number): readonly GuestStep[] {
    const recorded = this.#recorded.slice(first - this.#leftOut.steps);
    return this.hasTail ? [...recorded, { activation: this.#activation(), recorded: null }] : recorded;
  }

  /** Step number `index`, if it is recorded. */
  step(index: number): RecordedStep | undefined {
    return this.#recorded[index - this.#leftOut.steps];
  }

  /** How many entries are behind the first `steps` steps; 0 when these aren't recorded. */
  entriesAfter(steps: number): number {
    if (steps === this.#leftOut.steps) return this.#leftOut.entries;
    const last = this.step(steps - 1);
    return last ? last.entry + 1 : 0;
  }

  #take(entry: JournalEntry): void {
    switch (entry.kind) {
      case 'started': {
        const { job, attempt, workflow, input, seed } = entry;
        this.#now = entry.at;
        this.#tail.push({ type: 'start', job, attempt, workflow, input, seed });
        return;
      }
      case 'answered':
        this.#now = entry.at;
        this.#tail.push({ type: 'answer', call: entry.call, answer: entry.answer });
        return;
      case 'intents':
        this.#recorded.push({ activation: this.#activation(), recorded: entry.intents, entry: this.#length });
        this.#tail = [];
        return;
      case 'completed':
      case 'failed':
      case 'ran':
        this.#now = entry.at;
    }
  }

  #activation(): GuestStep['activation'] {
    return { now: this.#now, events: this.#tail };
  }
}
