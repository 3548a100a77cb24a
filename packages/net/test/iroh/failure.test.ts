import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import { closedByPeer, closeReason, connectFailure, failureText, streamFailure } from '../../src/iroh/failure.ts';
import { StreamFailure } from '../../src/peer-connection.ts';

const native = (text: string): Error => new Error(`${text}\n\nStack backtrace:\n   0: <anyhow::Error>::msg\n`);

test('a backtrace and Rust source positions are cut off', () => {
  const text = 'ConnectError::Connecting (/registry/iroh-1.0.2/src/endpoint.rs:1060:20)\nCaused by:\n    timed out';
  assert.equal(failureText(native(text)), 'ConnectError::Connecting Caused by: timed out');
});

test('what ends one stream is told from what ends the connection', () => {
  const reset = streamFailure(native('Reset(5)'));
  assert.ok(reset instanceof StreamFailure);
  assert.deepEqual([reset.kind, reset.streamCode], ['reset', 5]);
  const stopped = streamFailure(native('Stopped(268)'));
  assert.ok(stopped instanceof StreamFailure);
  assert.deepEqual([stopped.kind, stopped.streamCode], ['stopped', 268]);
  assert.ok(streamFailure(native('ClosedStream { _private: () }')) instanceof StreamFailure);
  for (const text of ['ConnectionLost(TimedOut)', 'LocallyClosed', 'something new']) {
    const failure = streamFailure(native(text));
    assert.ok(failure instanceof MvmError && failure.code === 'CONNECTION_LOST', text);
  }
});

test('the common reasons that connecting fails are said in words', () => {
  const said = (text: string): string => connectFailure(native(text), 'abc').message;
  assert.match(said("error 120: peer doesn't support any known protocol"), /does not speak this protocol/);
  assert.match(said('error 48: invalid peer certificate: UnknownIssuer'), /another node answers/);
  assert.match(said('Caused by: timed out'), /none of its addresses answers/);
  assert.match(said('Outer\nCaused by:\n  the inner reason'), /: the inner reason$/);
});

test('the end of a connection says who ended it', () => {
  assert.deepEqual(closeReason('closed by peer: bye (code 42)'), { by: 'peer', code: 42, text: 'bye' });
  assert.deepEqual(closeReason('closed by peer: 3'), { by: 'peer', code: 3, text: '' });
  assert.equal(closeReason('closed').by, 'local');
  assert.equal(closeReason('timed out').by, 'timeout');
  assert.equal(closeReason('reset by peer').by, 'transport');
});

test('the reason of the peer is read from what a call threw that was pending when it closed the connection', () => {
  const thrown = (reason: string): Error =>
    native(`ApplicationClosed(ApplicationClose { error_code: 256, reason: b"${reason}" })`);
  assert.deepEqual(closedByPeer(thrown('a peer joins within 15000 ms')), {
    by: 'peer',
    code: 256,
    text: 'a peer joins within 15000 ms',
  });
  assert.equal(closedByPeer(thrown(String.raw`\"caf\xc3\xa9\"\n(it\'s \\ over)`))?.text, '"café"\n(it\'s \\ over)');
  assert.equal(closedByPeer(thrown(''))?.text, '');
  for (const text of ['LocallyClosed', 'TimedOut', 'Reset']) assert.equal(closedByPeer(native(text)), undefined);
});
