/** The process of the command line: the only place that touches `process`. */
import { text } from 'node:stream/consumers';
import process from 'node:process';
import { runCli } from './cli.ts';
import { exitCodes } from './output/failure.ts';

const signals = ['SIGINT', 'SIGTERM'] as const;

// Who reads may stop early, such as `head`. Without a reader of its results a command has no more to do; without one of its
// log it goes on.
const unlessClosed =
  (closed: () => void) =>
  (error: Error): void => {
    if (!('code' in error && error.code === 'EPIPE')) throw error;
    closed();
  };
process.stdout.on(
  'error',
  unlessClosed(() => process.exit(0)),
);
process.stderr.on(
  'error',
  unlessClosed(() => undefined),
);

// Who started it over a channel takes it along, also when killed: a load test its cluster, an older Node the one that it handed over to.
const orphaned = (): void => process.exit(exitCodes.failed);
process.once('disconnect', orphaned);
if ('connected' in process && !process.connected) orphaned();

const exitCode = await runCli({
  args: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  pid: process.pid,
  stdout: process.stdout,
  stderr: process.stderr,
  readStdin: () => text(process.stdin),
  onInterrupt: (handler) => {
    for (const signal of signals) process.on(signal, handler);
    return () => {
      for (const signal of signals) process.off(signal, handler);
    };
  },
});

// A command that was stopped at once leaves handles behind that would hold the process: it ends when all is written.
for (const stream of [process.stdout, process.stderr]) await new Promise((flushed) => stream.write('', flushed));
process.exit(exitCode);
