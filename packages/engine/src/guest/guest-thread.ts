/** Entry point of a guest thread: takes batches of commands from its port and answers in batches. */
import { parentPort, workerData } from 'node:worker_threads';
import { GuestBench } from './guest-bench.ts';
import { engineLimits } from '../limits.ts';
import { Metering } from './fuel/metering.ts';
import { ScriptRuntime } from './quickjs/script-runtime.ts';
import { Stage } from './stage.ts';
import { packReplies, unpackCommands, type CommandMessage } from './thread-packing.ts';
import { cancelSlot, type Reply, type ThreadStart } from './thread-message.ts';

const isThreadStart = (value: unknown): value is ThreadStart =>
  typeof value === 'object' && value !== null && 'quickjs' in value && 'limits' in value && 'pulse' in value;

const start: unknown = workerData;
const port = parentPort;
if (!port || !isThreadStart(start)) throw new Error("this file is the entry point of an engine's guest thread");

const monotonicMs = (): number => performance.now();
const { limits, cancels, fuel } = start;
const stage = new Stage(start.pulse, (task) => void setImmediate(task));
const isCancelled = (): boolean => stage.guest !== 0 && Atomics.load(cancels, cancelSlot(stage.guest)) === stage.guest;
const metering = new Metering({
  limits,
  monotonicMs,
  isCancelled,
  onUsed: (units) => void Atomics.add(fuel, 0, BigInt(units)),
});
const openRuntime = (module: WebAssembly.Module): ScriptRuntime => new ScriptRuntime({ module, limits, metering });
const bench = new GuestBench({ openRuntime, quickjs: start.quickjs, stage, metering });

const post = (replies: readonly Reply[]): void => {
  const message = packReplies(replies);
  port.postMessage(message, [message.buffer]);
};

/** Posts the answer to a step that was suspended; that it can't be given is the thread's failure. */
const postLater = async (reply: Promise<Reply>): Promise<void> => post([await reply]);

port.on('message', (message: CommandMessage) => {
  let replies: Reply[] = [];
  let heldSince = monotonicMs();
  for (const command of unpackCommands(message)) {
    const reply = bench.handle(command);
    if (reply instanceof Promise) void postLater(reply);
    else if (reply) replies.push(reply);
    if (replies.length === 0 || monotonicMs() - heldSince < engineLimits.repliesHeldMs) continue;
    post(replies);
    replies = [];
    heldSince = monotonicMs();
  }
  if (replies.length > 0) post(replies);
});
