/**
 * The journal of one attempt as the steps that it holds: the entries between two `intents` entries are one activation
 * (step-machine.md, rule 1). It owns the attempt's time, which never goes back (rule 6).
 */
import type { Intent, JournalEntry } from '@mvm-ci/protocol';
import type { GuestEvent, GuestStep } from './activation.ts';
import { entryBytes } from './entry-size.ts';

interface RecordedStep extends GuestStep {
  /** Number of the step's `intents` entry. */
  readonly entry: number;
}

export class StepLog {
  readonly #recorded: RecordedStep[] = [];
  #tail: GuestEvent[] = [];
  #length = 0;
  #bytes = 0;
  #now = 0;
  #last: JournalEntry | undefined;

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
    return this.#recorded.length;
  }

  /** Steps so far: the recorded ones, and the one that isn't recorded yet, if it has events. */
  get steps(): number {
    return this.#recorded.length + (this.hasTail ? 1 : 0);
  }

  /** The recorded steps from number `first` on (from 0), and the one that isn't recorded yet, if it has events. */
  stepsFrom(first: number): readonly GuestStep[] {
    const recorded = this.#recorded.slice(first);
    return this.hasTail ? [...recorded, { activation: this.#activation(), recorded: null }] : recorded;
  }

  /** Step number `index`, if it is recorded. */
  step(index: number): RecordedStep | undefined {
    return this.#recorded[index];
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
