/** The servers of `bench/compare`: they end with the bench, however that ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { missingPostgresProgram } from '../../bench/compare/servers/postgres.ts';
import { redisProgram } from '../../bench/compare/servers/redis.ts';
import { findProgram } from '../../bench/compare/servers/server-process.ts';
import { BenchProcess } from './bench-process.ts';

const holder = fileURLToPath(new URL('server-holder.ts', import.meta.url));
const pollMs = 50;

const missing = {
  node: undefined,
  postgres: missingPostgresProgram(),
  redis: findProgram(redisProgram) === undefined ? redisProgram : undefined,
};

/** The port that it says its server has. */
const portOf = ({ child }: BenchProcess): Promise<number> => {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let said = '';
  child.stderr?.on('data', (chunk: unknown) => {
    said += String(chunk);
    const [, port] = /port (\d+)\./.exec(said) ?? [];
    if (port !== undefined) resolve(Number(port));
  });
  child.once('exit', () => reject(new Error(`it ended without a server: ${said}`)));
  return promise;
};

const isOpen = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
};

const cleanedUp = async (bench: BenchProcess, port: number): Promise<void> => {
  while ((await isOpen(port)) || bench.leftFiles.length > 0) await pause(pollMs);
};

for (const [server, program] of Object.entries(missing))
  for (const signal of server === 'node' ? (['SIGINT', 'SIGTERM', 'SIGKILL'] as const) : (['SIGKILL'] as const))
    test(
      `${signal} to a bench leaves nothing of its ${server} behind`,
      { timeout: 120_000, skip: program !== undefined && `${program} is missing` },
      async () => {
        using bench = new BenchProcess(holder, [], { BENCH_SERVER: server });
        const port = await portOf(bench);
        assert.ok(await isOpen(port));
        bench.child.kill(signal);
        await bench.ended;
        // What was interrupted has ended in order; behind what was killed others clean up.
        if (signal === 'SIGKILL') await cleanedUp(bench, port);
        assert.ok(!(await isOpen(port)));
        assert.deepEqual(bench.leftFiles, []);
        assert.deepEqual(bench.leftProcesses, []);
      },
    );
