/** A server of somebody else's on loopback that ends with the bench, and the search for its program. */
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import type { KeptOptions } from '../keeper-message.ts';
import { KeptProgram } from '../kept-program.ts';

const readyMsMax = 60_000;

/** The path of a program: in PATH, or in one of `folders` (patterns), the last of them first. */
export const findProgram = (name: string, folders: readonly string[] = []): string | undefined => {
  const inPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const elsewhere = folders
    .flatMap((pattern) => globSync(pattern))
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return [...inPath, ...elsewhere].map((folder) => join(folder, name)).find((path) => existsSync(path));
};

/** A port of 127.0.0.1 that nobody has at the moment. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
};

/** How a server is started. */
export interface ServerOptions extends KeptOptions {
  /** What it prints when it is ready. */
  readonly readyText: string;
}

/**
 * Starts a server; the disposer of what it returns ends it.
 *
 * @throws when it ends, or says for a minute that it is not ready, with what it printed
 */
export const startServer = async ({ readyText, ...options }: ServerOptions): Promise<AsyncDisposable> => {
  const server = new KeptProgram(options);
  try {
    await ready(server, options.program, readyText);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
};

// It listens for as long as the server runs: a pipe that nobody reads fills up and stops its writer.
const ready = (server: KeptProgram, name: string, readyText: string): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  let isReady = false;
  server.onOutput((text) => {
    if (isReady) return;
    said += text;
    isReady = said.includes(readyText);
    if (isReady) resolve();
  });
  const fail = (why: string): void => reject(new Error(`${name} ${why}: ${said}`));
  server.ended.then(
    () => fail('ended'),
    (error: unknown) => fail(String(error)),
  );
  const late = setTimeout(() => fail('is not ready'), readyMsMax);
  return promise.finally(() => clearTimeout(late));
};
