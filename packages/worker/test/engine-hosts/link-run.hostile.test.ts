/** What an engine may say in whatever order: the holder's end of a link believes only its own sink, ends, and stays small. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  encodeEntry,
  encodeLinkMessage,
  limits,
  linkLimits,
  mvmError,
  snapshotPieces,
  type BlobTalk,
  type Conversation,
  type ConversationEvents,
  type EngineMessage,
  type FinishOutcome,
  type SnapshotPiece,
} from '@mvm-ci/protocol';
import { HeldAttempt } from '@mvm-ci/testkit';
import fc from 'fast-check';
import type { HostPorts } from '../../src/engine-host.ts';
import { LinkRun } from '../../src/engine-hosts/link-run.ts';
import { MemoryBlobs } from '../fixtures/memory-blobs.ts';

const module = 'ab'.repeat(32);
const claimed = { job: 'a', epoch: 1, attempt: 1, module, workflow: 'main', input: '{}', journalEntries: 0 };
const entry = encodeEntry({ kind: 'intents', intents: [] });
const error = { code: 'UNAVAILABLE', message: 'no' } as const;
const completed: FinishOutcome = { type: 'completed', result: '1' };

/** The engine's end, as a test speaks it. */
class Mouth {
  events: ConversationEvents | undefined;
  isClosed = false;

  readonly open = (events: ConversationEvents): Conversation => {
    this.events = events;
    return {
      send: () => undefined,
      end: () => undefined,
      close: () => this.hangUp(),
    };
  };

  say(message: EngineMessage): void {
    this.hear(encodeLinkMessage(message));
  }

  hear(bytes: Uint8Array): void {
    if (!this.isClosed) void this.events?.onMessage(bytes);
  }

  hangUp(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => this.events?.onClosed(mvmError('CONNECTION_LOST', 'gone')));
  }
}

const runWith = (mouth: Mouth, attempt: HeldAttempt): LinkRun =>
  new LinkRun({
    connection: async () => ({ open: mouth.open, closed: new Promise(() => undefined), close: () => undefined }),
    job: claimed,
    ports: withSnapshots(attempt),
    journal: 'carried',
    modules: async () => new Uint8Array(10),
    blobs: new MemoryBlobs(),
    onAdmission: () => undefined,
  });

/** A holder that keeps snapshots, or refuses them, in a turn of its own. */
const withSnapshots = (attempt: HeldAttempt): HostPorts => ({
  openJournal: () => attempt.openJournal(),
  mayStartEffect: (signal) => attempt.mayStartEffect(signal),
  inbox: (after, signal) => attempt.inbox(after, signal),
  leaseLeftMs: () => attempt.leaseLeftMs(),
  saveSnapshot: async ({ entries }) => {
    await turn();
    if (entries > 1) throw mvmError('STALE_LEASE', "it is another holder's");
  },
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Step =
  | { readonly type: 'bytes'; readonly bytes: Uint8Array }
  | { readonly type: 'turn' | 'end' | 'drop' | 'release' | 'hand-over' | 'lose' };
const say = (message: EngineMessage): Step => ({ type: 'bytes', bytes: encodeLinkMessage(message) });

const talks = fc.constantFrom<BlobTalk>(
  { is: 'put' },
  { is: 'open', hash: module },
  { is: 'opened' },
  { is: 'more' },
  { is: 'bytes', bytes: new Uint8Array(3), isLast: false },
  { is: 'bytes', bytes: new Uint8Array(0), isLast: true },
  { is: 'failed', error },
  { is: 'stop' },
);

const snapshot = { runtime: 'r', imageHash: module, bytes: new Uint8Array(9) };
const pieces: readonly SnapshotPiece[] = [
  ...snapshotPieces({ ...snapshot, entries: 1 }),
  ...snapshotPieces({ ...snapshot, entries: 2 }),
  { bytes: new Uint8Array(3), isLast: false },
  { bytes: new Uint8Array(3), isLast: true },
];

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom<Step>(
    { type: 'turn' },
    { type: 'turn' },
    { type: 'turn' },
    { type: 'end' },
    { type: 'drop' },
    { type: 'release' },
    { type: 'hand-over' },
    { type: 'lose' },
  ),
  fc
    .constantFrom<EngineMessage>(
      { type: 'admitted' },
      { type: 'admitted', features: ['snapshots', 'tails', 'hand-over', 'blobs', 'another'] },
      { type: 'busy', error },
      { type: 'want-module' },
      { type: 'want-left-out' },
      { type: 'ended', outcome: null },
      { type: 'ended', outcome: completed },
      { type: 'fault', error },
      { type: 'replayed', outcome: { answer: '1' } },
      { type: 'entries', bytes: entry },
      { type: 'entries', bytes: new Uint8Array(2) },
    )
    .map(say),
  fc.nat(3).map((call) => say({ type: 'append', call: call + 1, bytes: entry })),
  fc.nat(3).map((call) => say({ type: 'finish', call: call + 1, bytes: entry, outcome: completed })),
  fc.constantFrom(...pieces).map((piece) => say({ type: 'snapshot', ...piece })),
  fc.nat(3).map((ask) => say({ type: 'ask', ask: ask + 1 })),
  fc.tuple(fc.nat(2), talks).map(([blob, talk]) => say({ type: 'blob', blob: blob + 1, talk })),
  fc.uint8Array({ maxLength: 20 }).map((bytes): Step => ({ type: 'bytes', bytes })),
);

describe('LinkRun, whatever the engine says', () => {
  it('throws nothing, and ends as finished only when its sink took the finish', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 14 }), async (script) => {
        const mouth = new Mouth();
        const attempt = new HeldAttempt(claimed);
        const run = runWith(mouth, attempt);
        const ended = run.ended.catch(() => ({ type: 'fault' as const }));
        await turn();
        for (const step of script) {
          if (step.type === 'bytes') mouth.hear(step.bytes);
          else if (step.type === 'end') mouth.events?.onEnd();
          else if (step.type === 'drop') run.drop();
          else if (step.type === 'release') run.release();
          else if (step.type === 'hand-over') run.handOver?.();
          else if (step.type === 'lose') attempt.loseLease();
          else await turn();
        }
        mouth.hangUp();
        const end = await ended;
        await attempt.settled();
        if (end.type === 'finished') assert.deepEqual(attempt.outcome, completed);
      }),
      { numRuns: 500 },
    );
  });

  it('gives up an engine that sends a snapshot without end', async () => {
    const mouth = new Mouth();
    const run = runWith(mouth, new HeldAttempt(claimed));
    await turn();
    mouth.say({ type: 'admitted', features: ['snapshots'] });
    const bytes = new Uint8Array(linkLimits.snapshotPieceBytes);
    const most = limits.snapshotBytesMax + limits.snapshotHeadBytesMax + bytes.length;
    for (let sent = 0; sent <= most; sent += bytes.length) mouth.say({ type: 'snapshot', bytes, isLast: false });
    assert.ok(mouth.isClosed);
    assert.equal((await run.ended).type, 'interrupted');
  });

  it('gives up an engine that sends entries without end', async () => {
    const mouth = new Mouth();
    const run = runWith(mouth, new HeldAttempt(claimed));
    await turn();
    mouth.say({ type: 'admitted' });
    await turn();
    const response = { status: 200, statusText: '', url: '', redirected: false, headers: [] };
    const body = new Uint8Array(linkLimits.pieceBytesMax - 100);
    const large = encodeEntry({
      kind: 'answered',
      at: 0,
      call: 1,
      answer: { type: 'fetched', response: { ...response, body } },
    });
    const message = encodeLinkMessage({ type: 'entries', bytes: large });
    for (let sent = 0; sent <= limits.journalBytesMax; sent += large.length) mouth.hear(message);
    assert.ok(mouth.isClosed);
    assert.equal((await run.ended).type, 'interrupted');
  });
});
