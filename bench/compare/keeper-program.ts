/**
 * Runs one program for a bench and ends it with the bench: see `kept-program.ts`. Its output is the program's, and so is its exit code.
 *
 *   1. It ends only after the program has.
 *   2. A program that does not end in order within 30 s is killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { keptOptionsSchema, type KeptOptions } from './keeper-message.ts';

const endMsMax = 30_000;

const run = ({ program, args, input, endSignal, ...how }: KeptOptions): void => {
  const child = spawn(program, args, { ...how, stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  child.once('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
  child.once('exit', (code) => process.exit(code ?? 1));
  end = (): void => endInOrder(child, endSignal);
  if (!process.connected) end();
};

const endInOrder = (child: ChildProcess, signal: NodeJS.Signals): void => {
  child.kill(signal);
  setTimeout(() => child.kill('SIGKILL'), endMsMax);
};

let end = (): void => process.exit();
process.once('message', (message) => run(keptOptionsSchema.parse(message)));
process.once('disconnect', () => end());
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => end());
