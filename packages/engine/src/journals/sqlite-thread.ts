/** The thread of a SQLite journal store: lists of requests in, lists of answers out. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { packMessage, unpackMessage } from '../message-packer.ts';
import { JournalFile } from './journal-file.ts';
import type { SqliteRequest } from './sqlite-message.ts';

const port = parentPort;
const path: unknown = workerData;
if (!port || typeof path !== 'string') throw new Error("this file is the entry point of a journal store's thread");
const file = new JournalFile(path);

/** A list, and whatever has come meanwhile: one commit for all. */
const gathered = (first: Uint8Array): readonly SqliteRequest[] => {
  const requests = unpackMessage<SqliteRequest[]>(first);
  for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port))
    requests.push(...unpackMessage<SqliteRequest[]>(more.message));
  return requests;
};

port.on('message', (message: Uint8Array) => {
  const requests = gathered(message);
  const answers = packMessage(file.answer(requests));
  port.postMessage(answers, [answers.buffer]);
  if (requests.some(({ type }) => type === 'close')) port.close();
});
