/**
 * Preloaded into each test file's process by scripts/test.ts: a thread that kills the process at MVM_TEST_KILL_MS, for
 * the case that an endless loop keeps it from answering the runner's own timeout.
 */
import { isMainThread, Worker } from 'node:worker_threads';

// Threads and forked children inherit the preload: only the test process itself carries the variable on.
const killMs = Number(process.env['MVM_TEST_KILL_MS']);
delete process.env['MVM_TEST_KILL_MS'];

if (isMainThread && killMs > 0) {
  const source = `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${killMs})`;
  new Worker(source, { eval: true, execArgv: [], stdout: false, stderr: false }).unref();
}
