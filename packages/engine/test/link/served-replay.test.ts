/** What a holder can do to an engine by asking it for replays: nothing for long. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import {
  decodeEngineMessage,
  encodeEntry,
  encodeLinkMessage,
  joinByteStrings,
  linkLimits,
  linkVersion,
  mvmError,
  type Conversation,
  type EngineMessage,
  type HolderMessage,
  type JournalEntry,
  type ReplayMessage,
  type Timer,
} from '@mvm-ci/protocol';
import { engineLimits } from '../../src/limits.ts';
import { LinkServer } from '../../src/link/link-server.ts';
import { ModuleDesk } from '../../src/link/module-desk.ts';
import type { QueryRequest, Replayer, ReplayReport, ReplayRequest } from '../../src/index.ts';

const entries: readonly JournalEntry[] = [
  { kind: 'intents', intents: [] },
  { kind: 'intents', intents: [{ type: 'log', level: 'info', text: 'x' }] },
];
const journal: HolderMessage = { type: 'journal', bytes: joinByteStrings(entries.map(encodeEntry)) };
const ready: HolderMessage = { type: 'ready', entries: entries.length };
const module = 'ab'.repeat(32);
const asked: ReplayMessage = { type: 'replay', protocol: linkVersion, job: 'a', attempt: 1, module, workflow: 'main' };
const question: ReplayMessage = { ...asked, query: { name: 'size', args: '[1]' } };
const report: ReplayReport = { compatible: true, entries: 2, steps: 1, logs: [] };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Answers when the test says so. */
class HeldReplayer implements Replayer {
  readonly asked: (ReplayRequest | QueryRequest)[] = [];
  readonly signals: AbortSignal[] = [];
  readonly answer: PromiseWithResolvers<string> = Promise.withResolvers();

  async replay(request: ReplayRequest, options: { readonly signal?: AbortSignal } = {}): Promise<ReplayReport> {
    this.#note(request, options);
    await this.answer.promise;
    return report;
  }

  query(request: QueryRequest, options: { readonly signal?: AbortSignal } = {}): Promise<string> {
    this.#note(request, options);
    return this.answer.promise;
  }

  #note(request: ReplayRequest, { signal }: { readonly signal?: AbortSignal }): void {
    this.asked.push(request);
    if (signal) this.signals.push(signal);
  }
}

class Holder implements Conversation {
  readonly heard: EngineMessage[] = [];
  hasEnded = false;
  reason: string | undefined;
  readonly #events: ReturnType<ReturnType<LinkServer['accept']>>;

  constructor(server: LinkServer, ...messages: readonly HolderMessage[]) {
    this.#events = server.accept()(this);
    this.say(...messages);
  }

  say(...messages: readonly HolderMessage[]): void {
    for (const message of messages) void this.#events.onMessage(encodeLinkMessage(message));
  }

  leave(): void {
    this.#events.onClosed(mvmError('CONNECTION_LOST', 'gone'));
  }

  finish(): void {
    this.#events.onEnd();
  }

  get types(): readonly string[] {
    return this.heard.map(({ type }) => type);
  }

  send(bytes: Uint8Array): undefined {
    this.heard.push(decodeEngineMessage(bytes));
    return undefined;
  }

  end(): void {
    this.hasEnded = true;
  }

  close(reason?: Error & { readonly code?: string }): void {
    this.reason ??= reason?.code;
  }
}

describe('ServedReplay', () => {
  let timers: Set<() => void>;
  let replayer: HeldReplayer;
  let desk: ModuleDesk;
  let server: LinkServer;

  beforeEach(() => {
    timers = new Set();
    replayer = new HeldReplayer();
    desk = new ModuleDesk();
    const after = (_ms: number, callback: () => void): Timer => {
      timers.add(callback);
      return { cancel: () => void timers.delete(callback) };
    };
    const engine = {
      run: () => assert.fail('nothing runs'),
      replay: replayer.replay.bind(replayer),
      query: replayer.query.bind(replayer),
    };
    server = new LinkServer({ engine, runsMax: 1, modules: desk, clock: { monotonicMs: () => 0, after } });
  });

  it('asks the workflow at the end of the journal that came, and says what it answered', async () => {
    assert.ok(server.features.includes('replays'));
    const holder = new Holder(server, question);
    assert.deepEqual(holder.types, ['admitted']);
    holder.say(journal, ready);
    replayer.answer.resolve('{"n":1}');
    await turn();
    assert.partialDeepStrictEqual(replayer.asked, [{ job: 'a', journal: entries, name: 'size', args: '[1]' }]);
    assert.deepEqual(holder.heard.at(-1), { type: 'replayed', outcome: { answer: '{"n":1}' } });
    assert.deepEqual([holder.hasEnded, holder.reason, timers.size], [true, undefined, 0]);
  });

  it('judges a replay that asks nothing, without what was logged', async () => {
    const holder = new Holder(server, asked, journal, ready);
    replayer.answer.resolve('');
    await turn();
    const verdict = { compatible: true, entries: 2, steps: 1 };
    assert.deepEqual(holder.heard.at(-1), { type: 'replayed', outcome: { verdict } });
  });

  it('says why there is no answer', async () => {
    const holder = new Holder(server, question, journal, ready);
    replayer.answer.reject(mvmError('QUERY_NOT_FOUND', 'none'));
    await turn();
    const error = { code: 'QUERY_NOT_FOUND', message: 'none' };
    assert.deepEqual(holder.heard.at(-1), { type: 'replayed', outcome: { error } });
  });

  it('asks its holder for the module, and takes no other file for it', async () => {
    const holder = new Holder(server, question, journal, ready);
    const source = desk.source(module, { signal: new AbortController().signal });
    const refused = assert.rejects(source, { code: 'MODULE_INVALID' });
    await turn();
    assert.equal(holder.types.at(-1), 'want-module');
    holder.say({ type: 'module', bytes: new Uint8Array(3), isLast: true });
    await refused;
  });

  it('takes so many at the same time, and no more', async () => {
    const holders = Array.from({ length: engineLimits.servedReplaysMax }, () => new Holder(server, asked));
    const late = new Holder(server, asked);
    assert.partialDeepStrictEqual(late.heard, [{ type: 'busy', error: { code: 'ENGINE_BUSY' } }]);
    holders[0]?.leave();
    assert.deepEqual(new Holder(server, asked).types, ['admitted']);
  });

  it('keeps no place for a holder that sends nothing', () => {
    const holder = new Holder(server, asked);
    for (const late of timers) late();
    assert.deepEqual([holder.reason, timers.size, linkLimits.holderSilenceMsMax > 0], ['DEADLINE_EXCEEDED', 0, true]);
  });

  for (const [what, leave] of [
    ['is gone', (holder: Holder) => holder.leave()],
    ['drops it', (holder: Holder) => holder.say({ type: 'drop' })],
    ['ends the conversation', (holder: Holder) => holder.finish()],
  ] as const)
    it(`gives up what runs when the holder ${what}, and keeps its place until it is over`, async () => {
      const holder = new Holder(server, question, journal, ready);
      leave(holder);
      assert.equal(replayer.signals[0]?.aborted, true);
      const others = Array.from({ length: engineLimits.servedReplaysMax }, () => new Holder(server, asked));
      assert.equal(others.filter(({ types }) => types[0] === 'busy').length, 1);
      replayer.answer.reject(mvmError('CANCELLED', 'given up'));
      await turn();
      assert.deepEqual(holder.types, ['admitted'], 'it hears nothing more');
      assert.deepEqual(new Holder(server, asked).types, ['admitted']);
    });

  it('ends a conversation that breaks the order', () => {
    const wrong: readonly (readonly HolderMessage[])[] = [
      [journal],
      [asked, asked],
      [asked, { type: 'inbox', items: [] }],
      [asked, { type: 'release' }],
      [asked, { type: 'module', bytes: new Uint8Array(1), isLast: true }],
      [asked, journal, { type: 'ready', entries: 1 }],
      [asked, journal, { type: 'ready', entries: 2, leftOut: 1 }],
      [asked, journal, ready, journal],
      [asked, journal, ready, ready],
    ];
    for (const messages of wrong) assert.equal(new Holder(server, ...messages).reason, 'INVALID_ARGUMENT');
  });

  it('refuses another version of the link, and takes none after a drain', async () => {
    const strange = new Holder(server, { ...asked, protocol: linkVersion + 1 });
    assert.partialDeepStrictEqual(strange.heard, [{ type: 'busy', error: { code: 'INVALID_ARGUMENT' } }]);
    const before = new Holder(server, asked);
    await server.drain({ graceMs: 1_000 });
    assert.equal(before.reason, 'CONNECTION_LOST');
    const error = { code: 'UNAVAILABLE', details: { draining: true } };
    assert.partialDeepStrictEqual(new Holder(server, asked).heard, [{ type: 'busy', error }]);
  });

  it('is not there where the engine does no replays, or the journals are kept beside it', () => {
    const plain = new LinkServer({
      engine: { run: () => assert.fail('nothing runs') },
      runsMax: 1,
      clock: { monotonicMs: () => 0, after: () => ({ cancel: () => undefined }) },
    });
    assert.ok(!plain.features.includes('replays'));
    assert.equal(new Holder(plain, asked).reason, 'INVALID_ARGUMENT');
  });
});
