/** What a holder, or a store, that says nothing can do to an engine that serves links: nothing for long. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import {
  encodeLinkMessage,
  linkLimits,
  linkVersion,
  type Conversation,
  type HolderMessage,
  type Timer,
} from '@mvm-ci/protocol';
import { appended } from '../../src/journal.ts';
import type { Engine, EngineRun, RunEnd } from '../../src/engine.ts';
import { engineLimits } from '../../src/limits.ts';
import type { JournalKeeper } from '../../src/link/journal-keeper.ts';
import { LinkServer } from '../../src/link/link-server.ts';
import { ModuleDesk } from '../../src/link/module-desk.ts';

const module = 'ab'.repeat(32);
const begin: HolderMessage & { readonly type: 'run' } = {
  type: 'run',
  protocol: linkVersion,
  journal: 'carried',
  job: 'a',
  epoch: 1,
  attempt: 1,
  module,
  workflow: 'main',
  input: '{}',
  journalEntries: 0,
};

/** Time that a test moves. */
class Hand {
  #nowMs = 0;
  readonly #timers = new Map<Timer, { readonly atMs: number; readonly callback: () => void }>();

  readonly monotonicMs = (): number => this.#nowMs;

  readonly after = (delayMs: number, callback: () => void): Timer => {
    const timer: Timer = { cancel: () => void this.#timers.delete(timer) };
    this.#timers.set(timer, { atMs: this.#nowMs + delayMs, callback });
    return timer;
  };

  get pending(): number {
    return this.#timers.size;
  }

  async pass(ms: number): Promise<void> {
    await turn();
    this.#nowMs += ms;
    for (const [timer, { atMs, callback }] of this.#timers) {
      if (atMs > this.#nowMs) continue;
      this.#timers.delete(timer);
      callback();
    }
    await turn();
  }
}

/** A run that ends when it is dropped, and not before. */
class StuckRun implements EngineRun {
  readonly #end = Promise.withResolvers<RunEnd>();
  wasHandedOver = false;
  wasReleased = false;
  wasDropped = false;
  readonly ended: Promise<RunEnd> = this.#end.promise;

  cancel(): void {
    // It takes its time.
  }

  release(): void {
    this.wasReleased = true;
  }

  handOver(): void {
    this.wasHandedOver = true;
  }

  /** What it waited for is over. */
  giveBack(): void {
    this.#end.resolve({ type: 'finished', outcome: { type: 'released' } });
  }

  drop(): void {
    this.wasDropped = true;
    this.#end.resolve({ type: 'dropped' });
  }
}

class StuckEngine implements Pick<Engine, 'run'> {
  readonly runs: StuckRun[] = [];

  run(): EngineRun {
    const run = new StuckRun();
    this.runs.push(run);
    return run;
  }
}

/** A holder that says what a test wants, and listens to nothing. */
class Holder implements Conversation {
  reason: string | undefined;
  readonly #say: (bytes: Uint8Array) => void;

  constructor(server: LinkServer, keeper?: JournalKeeper) {
    const events = server.accept(keeper)(this);
    this.#say = (bytes) => void events.onMessage(bytes);
  }

  say(...messages: readonly HolderMessage[]): void {
    for (const message of messages) this.#say(encodeLinkMessage(message));
  }

  send(): undefined {
    return undefined;
  }

  end(): void {
    // It answers nothing.
  }

  close(reason?: Error & { readonly code?: string }): void {
    this.reason ??= reason?.code;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('LinkServer', () => {
  let clock: Hand;
  let engine: StuckEngine;
  let desk: ModuleDesk;
  let server: LinkServer;

  beforeEach(() => {
    clock = new Hand();
    engine = new StuckEngine();
    desk = new ModuleDesk();
    server = new LinkServer({ engine, runsMax: 2, modules: desk, clock });
  });

  it('gives a run back when the grace is over, and drops it when its holder does not take it', async () => {
    const holder = new Holder(server);
    holder.say(begin, { type: 'ready', entries: 0 });
    const drained = server.drain({ graceMs: 100 });
    await clock.pass(100);
    assert.deepEqual([engine.runs[0]?.wasReleased, engine.runs[0]?.wasDropped], [true, false]);
    await clock.pass(engineLimits.giveBackMsMax);
    await drained;
    assert.deepEqual([engine.runs[0]?.wasDropped, holder.reason, server.runs], [true, 'CONNECTION_LOST', 0]);
    assert.equal(clock.pending, 0);
  });

  it('hands runs over before the grace ends, and releases only those that have something in flight when it does', async () => {
    const holders = [new Holder(server), new Holder(server)];
    for (const holder of holders) holder.say(begin, { type: 'ready', entries: 0 });
    const [quick, slow] = engine.runs;
    assert.ok(quick && slow);
    const graceMs = engineLimits.handOverMsMax + 1_000;
    const drained = server.drain({ graceMs });
    await clock.pass(999);
    assert.equal(quick.wasHandedOver, false, 'it may end by itself');
    await clock.pass(1);
    assert.deepEqual([quick.wasHandedOver, slow.wasHandedOver], [true, true]);
    quick.giveBack();
    await clock.pass(engineLimits.handOverMsMax - 1);
    assert.deepEqual([server.runs, slow.wasReleased], [1, false]);
    await clock.pass(1);
    assert.deepEqual([quick.wasReleased, slow.wasReleased], [false, true]);
    slow.giveBack();
    await drained;
    assert.equal(clock.pending, 0);
  });

  it('hands over at once when the grace is short, a run too whose journal is still on its way', async () => {
    const holder = new Holder(server);
    holder.say(begin);
    const drained = server.drain({ graceMs: 100 });
    await turn();
    holder.say({ type: 'ready', entries: 0 });
    const [run] = engine.runs;
    assert.equal(run?.wasHandedOver, true);
    run.giveBack();
    await drained;
    assert.equal(run.wasReleased, false);
  });

  it('drains at once when nothing runs', async () => {
    await server.drain({ graceMs: 10_000 });
    assert.equal(clock.pending, 0);
  });

  it('ends without a store that does not answer', async () => {
    const kept = {
      entries: [],
      inbox: [],
      ports: { sink: { append: async () => appended, finish: async () => undefined }, mayStartEffect: () => true },
      refusal: undefined,
      settle: () => new Promise<undefined>(() => undefined),
    };
    const holder = new Holder(server, { module: async () => new Uint8Array(), open: async () => kept });
    holder.say({ ...begin, journal: 'kept' });
    await turn();
    const drained = server.drain({ graceMs: 0 });
    await clock.pass(0);
    await clock.pass(engineLimits.giveBackMsMax);
    await clock.pass(engineLimits.dropMsMax);
    await drained;
    await server.stop();
    assert.equal(engine.runs[0]?.wasDropped, true);
  });

  it('keeps no place for a holder that says nothing after its run', async () => {
    const [silent, slow] = [new Holder(server), new Holder(server)];
    silent.say(begin);
    slow.say(begin);
    assert.equal(server.runs, 2);
    await clock.pass(linkLimits.holderSilenceMsMax);
    assert.deepEqual([silent.reason, server.runs, engine.runs.length], ['DEADLINE_EXCEEDED', 0, 0]);
    assert.equal(clock.pending, 0);
  });

  it('waits no longer for a holder once its journal is there', async () => {
    const holder = new Holder(server);
    holder.say(begin, { type: 'ready', entries: 0 });
    await clock.pass(linkLimits.holderSilenceMsMax);
    assert.deepEqual([holder.reason, server.runs], [undefined, 1]);
  });

  it('asks the next holder for a module when the first one sends nothing', async () => {
    const [silent, other] = [new Holder(server), new Holder(server)];
    for (const holder of [silent, other]) holder.say(begin, { type: 'ready', entries: 0 });
    const asked = desk.source(module, { signal: new AbortController().signal });
    const refused = assert.rejects(asked, { code: 'MODULE_NOT_FOUND' });
    await clock.pass(linkLimits.holderSilenceMsMax);
    assert.deepEqual([silent.reason, other.reason], ['DEADLINE_EXCEEDED', undefined]);
    other.say({ type: 'no-module', error: { code: 'MODULE_NOT_FOUND', message: 'it has none either' } });
    await refused;
    assert.equal(server.runs, 1);
  });
});
