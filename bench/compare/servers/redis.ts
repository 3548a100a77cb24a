/** Redis with each write synced before it is acknowledged: `appendonly yes`, `appendfsync always`. */
import { randomBytes } from 'node:crypto';
import { findProgram, freePort, startServer } from './server-process.ts';

/** The program that it needs. */
export const redisProgram = 'redis-server';

/** A running Redis. */
export interface Redis extends AsyncDisposable {
  readonly url: string;
}

/** Starts it on loopback, its data in `folder`. */
export const startRedis = async (folder: string): Promise<Redis> => {
  const [port, password] = [await freePort(), randomBytes(16).toString('hex')];
  const server = await startServer({
    program: findProgram(redisProgram) ?? redisProgram,
    // The settings come on standard input: a command line can be read by anybody on the machine.
    args: ['-'],
    input: settings({ port, folder, password }),
    cwd: folder,
    readyText: 'Ready to accept connections',
    endSignal: 'SIGTERM',
  });
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

const settings = ({ port, folder, password }: { port: number; folder: string; password: string }): string =>
  [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir "${folder}"`,
    `requirepass ${password}`,
    'appendonly yes',
    'appendfsync always',
    'no-appendfsync-on-rewrite no',
    'save ""',
    'maxmemory-policy noeviction',
    '',
  ].join('\n');
