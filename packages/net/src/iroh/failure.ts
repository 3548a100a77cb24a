/**
 * The native module reports errors as Rust debug text. This is the only place that reads that text.
 */
import { mvmError, type MvmError } from '@mvm-ci/protocol';

import { StreamFailure, type CloseReason } from '../peer-connection.ts';

/** The message without backtrace (everything from the first blank line) and without Rust source positions. */
export const failureText = (thrown: unknown): string => {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const [head = ''] = text.split('\n\n', 1);
  return head
    .replaceAll(/ ?\(\/[^)]*:\d+:\d+\)/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
};

/** What a call on a stream threw: a failure of this stream alone, or the loss of the connection. */
export const streamFailure = (thrown: unknown): StreamFailure | MvmError => {
  const text = failureText(thrown);
  const coded = /^(Reset|Stopped)\((\d+)\)/.exec(text);
  if (coded) return new StreamFailure(coded[1] === 'Reset' ? 'reset' : 'stopped', Number(coded[2]));
  if (text.startsWith('ClosedStream')) return new StreamFailure('over', 0);
  return connectionFailure(thrown);
};

/** What a call on a connection threw. */
export const connectionFailure = (thrown: unknown): MvmError => {
  const text = failureText(thrown);
  return mvmError('CONNECTION_LOST', `the connection is lost: ${text}`, { reason: text });
};

/** What `connect` threw, with the two common causes in words. */
export const connectFailure = (thrown: unknown, peerId: string): MvmError => {
  const text = failureText(thrown);
  const message = `can't connect to peer ${peerId}: ${connectCause(text)}`;
  return mvmError('CONNECTION_LOST', message, { peerId, reason: text });
};

const connectCause = (text: string): string => {
  if (text.includes("doesn't support any known protocol")) return 'it does not speak this protocol';
  if (text.includes('invalid peer certificate')) return 'another node answers at its address';
  if (text.includes('timed out')) return 'none of its addresses answers';
  return text.replace(/^.*Caused by: /, '');
};

/** Reads the text that `closed()` and `closeReason()` give. */
export const closeReason = (text: string): CloseReason => {
  const byPeer = /^closed by peer: (?:(.*) \(code (\d+)\)|(\d+))$/s.exec(text);
  if (byPeer) return { by: 'peer', code: Number(byPeer[2] ?? byPeer[3]), text: byPeer[1] ?? '' };
  if (text.startsWith('closed by peer')) return { by: 'peer', text };
  if (text === 'closed') return { by: 'local', text };
  return { by: text.includes('timed out') ? 'timeout' : 'transport', text };
};

/**
 * How the peer ended the connection, when that is what a call on it threw; undefined otherwise. Who closes a connection that the peer has closed
 * makes `closeReason()` forget the peer's reason: what was pending then still has it.
 */
export const closedByPeer = (thrown: unknown): CloseReason | undefined => {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const found = /^ApplicationClosed\(ApplicationClose \{ error_code: (\d+), reason: b"(.*)" \}\)/.exec(text);
  return found ? { by: 'peer', code: Number(found[1]), text: byteString(found[2] ?? '') } : undefined;
};

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** The text in what is between the quotes of a byte string of Rust. */
const byteString = (escaped: string): string => {
  const characters = escaped.replaceAll(/\\(?:x[0-9a-f]{2}|.)/g, (found) => {
    const one = found.slice(1);
    return one.length === 3 ? String.fromCharCode(Number.parseInt(one.slice(1), 16)) : (escapes.get(one) ?? one);
  });
  return new TextDecoder().decode(Uint8Array.from(characters, (one) => one.codePointAt(0) ?? 0));
};
