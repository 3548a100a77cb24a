/** The thread of a SQLite journal store: lists of requests in, lists of answers out. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { JournalFile } from './journal-file.ts';
import { answersForm, requestsForm, type SqliteRequest } from './sqlite-message.ts';

const port = parentPort;
const path: unknown = workerData;
if (!port || typeof path !== 'string') throw new Error("this file is the entry point of a journal store's thread");
const file = new JournalFile(path);

/** A list, and whatever has come meanwhile: one commit for all. */
const gathered = (first: Uint8Array): readonly SqliteRequest[] => {
  const lists = [requestsForm.unpack(first)];
  for (;;) {
    const more: { readonly message: unknown } | undefined = receiveMessageOnPort(port);
    if (!(more?.message instanceof Uint8Array)) return lists.flat();
    lists.push(requestsForm.unpack(more.message));
  }
};

port.on('message', (message: Uint8Array) => {
  const requests = gathered(message);
  const answers = answersForm.pack(file.answer(requests));
  port.postMessage(answers, [answers.buffer]);
  if (requests.some(({ type }) => type === 'close')) port.close();
});
