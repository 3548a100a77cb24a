/**
 * A thread that owns one connection to the database: the writer applies commands in groups, the reader answers queries.
 * The writer takes everything that waits, up to `groupCommandsMax`, into one transaction: while it syncs, the next group
 * gathers in its queue.
 */
import { asMvmError } from '@mvm-ci/protocol';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import type { DatabaseSync } from 'node:sqlite';
import { controlLimits } from '../limits.ts';
import { systemClock } from '../system-clock.ts';
import { freeBytesBeside } from '../system-disk.ts';
import { openDatabase, openForReading } from './database.ts';
import { GroupCommit, type CommandOutcome } from './group-commit.ts';
import { Reader } from './reader.ts';
import { sentEffects, sentReply, wholeCommand } from './thread-form.ts';
import {
  threadStartSchema,
  type CommandRequest,
  type SentOutcome,
  type ThreadReport,
  type ThreadRequest,
  type ThreadStart,
} from './thread-message.ts';

const serveWriter = (port: MessagePort, path: string): void => {
  const db = openDatabase(path);
  const group = new GroupCommit(db, { freeBytes: () => freeBytesBeside(path), clock: systemClock });
  const run = (requests: readonly CommandRequest[]): void => {
    const beganMs = systemClock.monotonicMs();
    const outcomes = group.run(requests.map(({ command }) => wholeCommand(command))).map(sent);
    const refused = outcomes.reduce((count, { ok }) => count + (ok ? 0 : 1), 0);
    const ms = systemClock.monotonicMs() - beganMs;
    const facts = { commands: requests.length, refused, ms, commitMs: group.commitMs };
    tell(port, { type: 'applied', ids: requests.map((request) => request.id), outcomes, facts });
  };
  port.on('message', (first: ThreadRequest) => {
    const requests: CommandRequest[] = [];
    let next: ThreadRequest | undefined = first;
    while (next?.type === 'commands') {
      requests.push(...next.requests);
      next = requests.length < controlLimits.groupCommandsMax ? received(port) : undefined;
    }
    for (let at = 0; at < requests.length; at += controlLimits.groupCommandsMax)
      run(requests.slice(at, at + controlLimits.groupCommandsMax));
    if (next?.type === 'close') close(port, db);
  });
};

const sent = (one: CommandOutcome): SentOutcome =>
  one.ok ? { ok: true, reply: sentReply(one.reply), effects: sentEffects(one.effects) } : one;

const serveReader = (port: MessagePort, db: DatabaseSync): void => {
  const reader = new Reader(db);
  port.on('message', (request: ThreadRequest) => {
    if (request.type === 'close') return close(port, db);
    if (request.type === 'query')
      tell(port, { type: 'answered', id: request.id, outcome: outcome(reader, request.query) });
  });
};

const outcome = (
  reader: Reader,
  query: Extract<ThreadRequest, { type: 'query' }>['query'],
): Extract<ThreadReport, { type: 'answered' }>['outcome'] => {
  try {
    return { ok: true, answer: reader.answer(query) };
  } catch (error) {
    return { ok: false, error: asMvmError(error).toRecord() };
  }
};

// Both ends of the channel are ours: what comes out is what thread-store.ts put in.
const received = (port: MessagePort): ThreadRequest | undefined => {
  const envelope: { message: ThreadRequest } | undefined = receiveMessageOnPort(port);
  return envelope?.message;
};

const tell = (port: MessagePort, report: ThreadReport): void => port.postMessage(report, []);

const close = (port: MessagePort, db: DatabaseSync): void => {
  db.close();
  port.close();
};

const serve = (port: MessagePort, start: ThreadStart): void => {
  try {
    if (start.role === 'writer') serveWriter(port, start.path);
    else serveReader(port, openForReading(start.path));
    tell(port, { type: 'ready' });
  } catch (error) {
    tell(port, { type: 'refused', error: asMvmError(error).toRecord() });
    port.close();
  }
};

if (parentPort !== null) serve(parentPort, threadStartSchema.parse(workerData));
