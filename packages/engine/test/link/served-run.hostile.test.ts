/** What a holder may say in whatever order: the engine's end of a link throws nothing, keeps no place and drops every run. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  encodeEntry,
  encodeLinkMessage,
  linkVersion,
  mvmError,
  type BlobTalk,
  type ByteSource,
  type Conversation,
  type ConversationEvents,
  type FinishOutcome,
  type HolderMessage,
  snapshotPieces,
  type InboxItem,
  type SnapshotPiece,
  type SnapshotState,
} from '@mvm-ci/protocol';
import fc from 'fast-check';
import type { Engine, EngineRun, LeftOutEntries, RunEnd, RunPorts } from '../../src/engine.ts';
import { LinkServer } from '../../src/link/link-server.ts';
import { ModuleDesk } from '../../src/link/module-desk.ts';

const clock = { monotonicMs: (): number => 0, after: () => ({ cancel: () => undefined }) };
const module = 'ab'.repeat(32);
const entry = encodeEntry({ kind: 'intents', intents: [] });
const completed: FinishOutcome = { type: 'completed', result: '1' };
const error = { code: 'UNAVAILABLE', message: 'no' } as const;

/** A run that appends at once, keeps a snapshot, keeps and reads a blob, asks whether it may begin an effect, and ends when it is told to. */
class ScriptRun implements EngineRun {
  readonly #end = Promise.withResolvers<RunEnd>();
  readonly #over = new AbortController();
  isOver = false;

  constructor(ports: RunPorts, leftOut: LeftOutEntries | undefined) {
    leftOut?.load().catch(() => this.drop());
    this.#run(ports).catch(() => this.drop());
  }

  get ended(): Promise<RunEnd> {
    return this.#end.promise;
  }

  cancel(): void {
    this.#settle({ type: 'finished', outcome: { type: 'cancelled' } });
  }

  release(): void {
    this.#settle({ type: 'finished', outcome: { type: 'released' } });
  }

  drop(): void {
    this.#settle({ type: 'dropped' });
  }

  async #run(ports: RunPorts): Promise<void> {
    this.#useBlobs(ports).catch(() => undefined);
    this.#saveSnapshots(ports).catch(() => undefined);
    await ports.sink.append([{ kind: 'intents', intents: [] }]);
    await Promise.race([ports.inbox?.(1, new AbortController().signal), this.#end.promise]);
    if (!(await ports.mayStartEffect(new AbortController().signal))) return this.drop();
    await ports.sink.finish([], completed);
    this.#settle({ type: 'finished', outcome: completed });
  }

  async #saveSnapshots(ports: RunPorts): Promise<void> {
    for (let saved = 0; saved < 3; saved += 1) await ports.saveSnapshot?.(snapshot);
  }

  async #useBlobs({ blobs }: RunPorts): Promise<void> {
    const { signal } = this.#over;
    const { hash } = (await blobs?.put('a', threeBytes(), { signal })) ?? { hash: module };
    const opened = await blobs?.open('a', hash, { signal });
    for await (const _ of opened?.source ?? threeBytes());
  }

  #settle(end: RunEnd): void {
    this.isOver = true;
    this.#over.abort();
    this.#end.resolve(end);
  }
}

const snapshot: SnapshotState = { entries: 1, runtime: 'r', imageHash: module, bytes: new Uint8Array(9) };

const threeBytes = async function* (): ByteSource {
  yield new Uint8Array(3);
};

class ScriptEngine implements Pick<Engine, 'run'> {
  readonly runs: ScriptRun[] = [];

  run(...[{ leftOut }, ports]: Parameters<Engine['run']>): EngineRun {
    const run = new ScriptRun(ports, leftOut);
    this.runs.push(run);
    return run;
  }
}

class Ear implements Conversation {
  isClosed = false;
  events: ConversationEvents | undefined;

  send(): undefined {
    return undefined;
  }

  end(): void {
    // Nobody listens.
  }

  close(reason?: Error): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => this.events?.onClosed(reason ? mvmError('CANCELLED', reason.message) : undefined));
  }
}

type Step = { readonly type: 'say'; readonly bytes: Uint8Array } | { readonly type: 'end' } | { readonly type: 'turn' };

const say = (message: HolderMessage): Step => ({ type: 'say', bytes: encodeLinkMessage(message) });
const run = say({
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
  features: ['blobs', 'snapshots', 'tails', 'hand-over', 'a feature of another release'],
});
const item = (number: number): InboxItem => ({ number, at: 0, body: { type: 'refused', call: number, error } });
const talks = fc.constantFrom<BlobTalk>(
  { is: 'put' },
  { is: 'opened' },
  { is: 'more' },
  { is: 'bytes', bytes: new Uint8Array(3), isLast: false },
  { is: 'bytes', bytes: new Uint8Array(0), isLast: true },
  { is: 'kept', ref: { hash: module, bytes: 3 } },
  { is: 'failed', error },
  { is: 'stop' },
);
const pieces: readonly SnapshotPiece[] = [
  ...snapshotPieces(snapshot),
  { bytes: new Uint8Array(3), isLast: false },
  { bytes: new Uint8Array(3), isLast: true },
];
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.constant(run),
  fc.constantFrom<Step>({ type: 'end' }, { type: 'turn' }, { type: 'turn' }),
  fc.nat(2).map((count) => say({ type: 'ready', entries: count })),
  fc.nat(2).map((count) => say({ type: 'ready', entries: 0, leftOut: count + 1 })),
  fc
    .tuple(fc.constantFrom(entry, new Uint8Array(3), new Uint8Array(0)), fc.boolean())
    .map(([bytes, isLast]) => say({ type: 'left-out', bytes, isLast })),
  fc.constantFrom(entry, new Uint8Array(3), new Uint8Array(0)).map((bytes) => say({ type: 'journal', bytes })),
  fc.nat(3).map((call) => say({ type: 'ack', call: call + 1, leaseLeftMs: call * 10 })),
  fc.nat(3).map((call) => say({ type: 'ack', call: call + 1, leaseLeftMs: 0, refused: [item(call + 1)] })),
  fc
    .array(fc.nat(5), { maxLength: 3 })
    .map((numbers) => say({ type: 'inbox', items: numbers.map((number) => item(number + 1)) })),
  fc.nat(3).map((call) => say({ type: 'refused', call: call + 1, error })),
  fc.nat(2).map((ask) => say({ type: 'lease', ask: ask + 1, leaseLeftMs: ask })),
  fc.tuple(fc.nat(2), talks).map(([blob, talk]) => say({ type: 'blob', blob: blob + 1, talk })),
  fc.constantFrom(...pieces).map((piece) => say({ type: 'snapshot', ...piece })),
  fc.constantFrom({}, { error }).map((answer) => say({ type: 'snapshot-kept', ...answer })),
  fc.boolean().map((isLast) => say({ type: 'module', bytes: new Uint8Array(4), isLast })),
  fc
    .constantFrom<HolderMessage>(
      { type: 'no-module', error },
      { type: 'no-left-out', error },
      { type: 'cancel', reason: 'x' },
      { type: 'release' },
      { type: 'hand-over' },
      { type: 'replay', protocol: linkVersion, job: 'a', attempt: 1, module, workflow: 'main' },
      { type: 'drop' },
    )
    .map(say),
  fc.uint8Array({ maxLength: 20 }).map((bytes): Step => ({ type: 'say', bytes })),
);

/** What the holder says before it says anything. */
const beginnings: readonly (readonly Step[])[] = [
  [],
  [run],
  [run, say({ type: 'ready', entries: 0 })],
  [run, ...snapshotPieces(snapshot).map((piece) => say({ type: 'snapshot', ...piece }))],
  [
    run,
    ...snapshotPieces(snapshot).map((piece) => say({ type: 'snapshot', ...piece })),
    say({ type: 'ready', entries: 0, leftOut: 1 }),
  ],
];

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ServedRun, whatever the holder says', () => {
  it('throws nothing, gives its place back and drops its run', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 12 }), async (script) => {
        const engine = new ScriptEngine();
        const server = new LinkServer({ engine, runsMax: 2, modules: new ModuleDesk(), clock });
        const ear = new Ear();
        ear.events = server.accept()(ear);
        for (const step of beginnings[script.length % beginnings.length]?.concat(script) ?? script) {
          if (ear.isClosed) break;
          if (step.type === 'turn') await turn();
          else if (step.type === 'end') ear.events.onEnd();
          else await ear.events.onMessage(step.bytes);
        }
        ear.close();
        await turn();
        await turn();
        assert.equal(server.runs, 0);
        assert.ok(engine.runs.length <= 1);
        assert.ok(engine.runs.every(({ isOver }) => isOver));
      }),
      { numRuns: 500 },
    );
  });
});
