/**
 * A bench that measures nothing: it starts the server that the environment names, says where it listens, and waits until it is
 * interrupted or killed.
 */
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres, type Postgres } from '../../bench/compare/servers/postgres.ts';
import { startRedis } from '../../bench/compare/servers/redis.ts';
import { freePort, startServer } from '../../bench/compare/servers/server-process.ts';
import { runBench } from '../../bench/run-bench.ts';

// It ignores the signal that ends it in order for as long as it takes to see that somebody waits for its end.
const nodeProgram = `
  const server = require('node:http').createServer();
  server.listen(Number(process.argv[1]), '127.0.0.1', () => console.log('it listens'));
  process.on('SIGTERM', () => setTimeout(() => process.exit(), 500));
`;

const startNode = async (folder: string): Promise<Postgres> => {
  const port = await freePort();
  const server = await startServer({
    program: process.execPath,
    args: ['-e', nodeProgram, String(port), folder],
    cwd: folder,
    readyText: 'it listens',
    endSignal: 'SIGTERM',
  });
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
};

const starts = { node: startNode, postgres: startPostgres, redis: startRedis };

await runBench(async ({ folder, signal, say }) => {
  const name = process.env['BENCH_SERVER'];
  if (name !== 'node' && name !== 'postgres' && name !== 'redis') throw new Error(`there is no server ${String(name)}`);
  const data = join(folder, name);
  await mkdir(data);
  await using server = await starts[name](data);
  say(`port ${new URL(server.url).port}.`);
  await once(signal, 'abort');
  throw signal.reason;
});
