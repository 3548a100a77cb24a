/**
 * A worker process of one of the systems. Takes orders from the bench and tells it which jobs ran and when, every 20 ms: that
 * costs each system the same. Ends with the bench.
 */
import { PeerPackages } from './peer-packages.ts';
import type { StopConsuming } from './system.ts';
import { systems } from './systems.ts';
import { preciseClock } from '../wall-clock.ts';
import { orderSchema, type Notice, type Order } from './worker-message.ts';

const toldEveryMs = 20;
const wallMs = preciseClock();
let ids: string[] = [];
let startsMs: number[] = [];
let stop: StopConsuming | undefined;

// A bench that is ending hears nothing more: `disconnect` follows.
const tell = (notice: Notice): void => void process.send?.(notice, undefined, undefined, () => undefined);

const tellRuns = (): void => {
  if (ids.length === 0) return;
  tell({ notice: 'ran', ids, startsMs });
  [ids, startsMs] = [[], []];
};

const ran = (id: string): void => {
  startsMs.push(wallMs());
  ids.push(id);
};

const carryOut = async (order: Order): Promise<void> => {
  if (order.order === 'stop') {
    await stop?.();
    tellRuns();
  } else {
    const system = systems.find(({ name }) => name === order.system);
    if (system === undefined) throw new Error(`no system is named ${order.system}`);
    stop = await system.consume({ address: { url: order.url }, packages: new PeerPackages(), ran });
  }
  tell({ notice: 'done' });
};

setInterval(tellRuns, toldEveryMs);
process.on('message', (message) => void carryOut(orderSchema.parse(message)));
process.once('disconnect', () => process.exit());
// The bench ends its workers itself, in order, also after Ctrl-C.
process.on('SIGINT', () => undefined);
