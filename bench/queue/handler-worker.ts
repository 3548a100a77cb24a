/** A worker process with one trivial plain handler, at its default settings: `node handler-worker.ts URL`. */
import { worker } from '@mvm-ci/worker';
import { preciseClock } from '../wall-clock.ts';

const wallMs = preciseClock();
const [, , url] = process.argv;
// Its result is when it began.
const running = await worker({ url, handlers: { trivial: () => wallMs() } });
process.stdout.write('ready\n');
process.once('SIGTERM', () => void running.drain({ graceMs: 1_000 }));
await running.closed;
