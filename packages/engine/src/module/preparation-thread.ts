/** The thread of one large module's preparation: gets the module's file, posts what came of it, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { MvmError } from '@mvm-ci/protocol';
import { prepareCore } from './core-module.ts';
import type { Prepared, PreparationStart } from './preparation.ts';

const isStart = (value: unknown): value is PreparationStart =>
  typeof value === 'object' && value !== null && 'file' in value && 'memoryBytesMax' in value;

const start: unknown = workerData;
const port = parentPort;
if (!port || !isStart(start)) throw new Error("this file is the entry point of a preparation's thread");

const prepared = async ({ file, memoryBytesMax }: PreparationStart): Promise<Prepared> => {
  try {
    return { type: 'module', wasm: await prepareCore(file, memoryBytesMax) };
  } catch (error) {
    if (error instanceof MvmError) return { type: 'refused', error: error.toRecord() };
    throw error;
  }
};

port.postMessage(await prepared(start));
