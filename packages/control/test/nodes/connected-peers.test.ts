import type { PathSnapshot } from '@mvm-ci/net';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { ConnectedPeers, type WatchedConnection } from '../../src/nodes/connected-peers.ts';
import { StillClock } from '../fixtures/still-clock.ts';

const direct = (port: number): PathSnapshot => ({
  kind: 'direct',
  remote: `192.0.2.1:${port}`,
  selected: true,
  rttMs: 1.5,
});
const relay: PathSnapshot = { kind: 'relay', remote: 'https://relay.test/', selected: true, rttMs: 40 };

/** A connection whose paths the test decides: real ones don't change on one machine. */
class Wire implements WatchedConnection {
  readonly peerId: string;
  readonly #closed = Promise.withResolvers<{ readonly by: 'local'; readonly text: string }>();
  isClosed: boolean = false;
  closeText: string | undefined;
  path: PathSnapshot = direct(1);
  looks: number = 0;

  constructor(peerId: string) {
    this.peerId = peerId;
  }

  get closed(): Promise<{ readonly by: 'local'; readonly text: string }> {
    return this.#closed.promise;
  }

  paths(): readonly PathSnapshot[] {
    this.looks += 1;
    return [this.path];
  }

  close(_: number, text: string): void {
    this.isClosed = true;
    this.closeText = text;
    this.#closed.resolve({ by: 'local', text });
  }
}

const peersWith = (
  ...members: readonly string[]
): { clock: StillClock; peers: ConnectedPeers; members: Set<string> } => {
  const clock = new StillClock();
  const joined = new Set(members);
  return { clock, peers: new ConnectedPeers({ clock, isMember: (node) => joined.has(node) }), members: joined };
};

suite('strangers', () => {
  test('lose their connection when they have not joined in time; members keep theirs', () => {
    const { clock, peers, members } = peersWith('member');
    const [member, stranger, joiner] = [new Wire('member'), new Wire('stranger'), new Wire('joiner')];
    for (const wire of [member, stranger, joiner]) peers.add(wire);
    clock.advance(controlLimits.strangerMs - 1);
    members.add('joiner');
    assert.equal(stranger.isClosed, false);
    clock.advance(1);
    assert.deepEqual([member.isClosed, stranger.isClosed, joiner.isClosed], [false, true, false]);
    assert.match(stranger.closeText ?? '', /joins within 15000 ms/);
  });

  test('are not more than the limit at the same time, and members come in none the less', async () => {
    const { peers } = peersWith('member');
    const strangers = Array.from({ length: controlLimits.strangersMax + 1 }, (_, index) => new Wire(`s${index}`));
    for (const wire of strangers) peers.add(wire);
    assert.deepEqual([strangers.at(-2)?.isClosed, strangers.at(-1)?.isClosed], [false, true]);
    const member = new Wire('member');
    peers.add(member);
    assert.equal(member.isClosed, false);
    strangers[0]?.close(0, 'left');
    await strangers[0]?.closed;
    const next = new Wire('next');
    peers.add(next);
    assert.equal(next.isClosed, false);
  });
});

suite('paths', () => {
  test('are shown with their round trip; a change is counted, with its time, at the next look', () => {
    const { clock, peers } = peersWith('n1');
    const wire = new Wire('n1');
    const connectedAt = clock.wallMs();
    peers.add(wire);
    clock.advance(controlLimits.pathPollMs);
    wire.path = relay;
    clock.advance(controlLimits.pathPollMs);
    const changedAt = clock.wallMs();
    clock.advance(controlLimits.pathPollMs);
    wire.path = direct(1);
    assert.deepEqual(peers.view('n1'), {
      connected_at_ms: connectedAt,
      paths: [{ kind: 'direct', remote: '192.0.2.1:1', rtt_ms: 1.5, selected: true }],
      path_changes: 2,
      path_changed_at_ms: changedAt + controlLimits.pathPollMs,
    });
    assert.equal(peers.view('n2'), null);
  });

  test('of many connections are looked at a few at a time, each once in a round', () => {
    const { clock, peers } = peersWith();
    const wires = Array.from({ length: 100 }, (_, index) => new Wire(`n${index}`));
    for (const wire of wires) peers.add(wire);
    let most = 0;
    let before = 0;
    for (let ms = 0; ms < 2 * controlLimits.pathPollMs; ms += 1) {
      clock.advance(1);
      const looks = wires.reduce((sum, wire) => sum + wire.looks, 0);
      most = Math.max(most, looks - before);
      before = looks;
    }
    assert.equal(most, 20);
    assert.ok(wires.every((wire) => wire.looks >= 1));
  });

  test('of thousands of connections are not looked at more often, but later', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
    const { clock, peers } = peersWith(...names);
    const wires = names.map((name) => new Wire(name));
    for (const wire of wires) peers.add(wire);
    const looks = (): number => wires.reduce((sum, wire) => sum + wire.looks, 0);
    const pass = (ms: number): void => {
      for (let passed = 0; passed < ms; passed += controlLimits.pathLookMsMin)
        clock.advance(controlLimits.pathLookMsMin);
    };
    pass(controlLimits.pathPollMs);
    const before = looks();
    pass(1_000);
    const inOneSecond = looks() - before;
    pass(11_250);
    assert.ok(inOneSecond <= 80, `${inOneSecond} looks in a second`);
    assert.ok(wires.every((wire) => wire.looks === 1));
  });

  test('are those of the latest connection, and of none when all are over; nothing waits then', async () => {
    const { clock, peers } = peersWith('n1');
    const [first, second] = [new Wire('n1'), new Wire('n1')];
    second.path = direct(2);
    peers.add(first);
    peers.add(second);
    assert.equal(peers.view('n1')?.paths[0]?.remote, '192.0.2.1:2');
    peers.expel('n1', 'banned');
    await Promise.all([first.closed, second.closed]);
    assert.deepEqual([first.closeText, peers.view('n1')], ['banned', null]);
    clock.advance(controlLimits.pathPollMs);
    assert.equal(clock.pending, 0);
  });
});
