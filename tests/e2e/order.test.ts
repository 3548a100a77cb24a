import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Receiver, type Request } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 180_000;

/** A shop that pays each order once, and answers the first payment only when it is told to: the worker dies before. */
class Shop {
  readonly paid = new Set<string>();
  /** Orders that it sends no parcel for. */
  readonly broken = new Set<string>();
  isHolding = false;

  answer({ method, path }: Request, respond: (status: number, text: string) => void): void {
    const [, route, id = ''] = path.split('/');
    if (route === 'payments' && method === 'POST') {
      this.paid.add(id);
      if (this.isHolding) return;
    }
    if (route === 'payments') return this.paid.has(id) ? respond(200, '"receipt"') : respond(404, 'null');
    if (route === 'parcels') return this.broken.has(id) ? respond(410, 'gone') : respond(200, `parcel ${id}`);
    respond(200, '');
  }
}

const count = (requests: readonly Request[], method: string, path: string): number =>
  requests.filter((request) => request.method === method && request.path === path).length;

describe('the order', () => {
  it('waits for a person, is paid once though its worker dies while it pays, and is shipped by a child', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const shop = new Shop();
    shop.isHolding = true;
    await using receiver = await Receiver.start((request, respond) => shop.answer(request, respond));
    await using scene = await Scene.start({ workers: 1, slots: 1 });
    await scene.deploy('order');
    const input = { id: '17', amount: 250, shop: receiver.url };
    await scene.client.publish({ job_id: 'order-17', workflow: 'order', input });

    const { response } = await scene.client.waitForResponse('order-17', { signal });
    assert.deepEqual(response, { value: { accepted: '17' } });
    await scene.until('order-17', (job) => job.status === 'waiting', signal);
    await scene.client.send('order-17', { type: 'approved' });
    await receiver.arrivals(1, ({ path }) => path === '/payments/17');
    shop.isHolding = false;
    for (const worker of scene.cluster.workers) await scene.cluster.removeWorker(worker);
    await scene.cluster.addWorker();

    const ended = await scene.ended('order-17', signal);
    assert.equal(ended.status, 'completed', JSON.stringify(ended.error));
    const end = { order: '17', end: 'shipped', amount: 250, payment: 'receipt', parcel: 'parcel 17' };
    assert.deepEqual(ended.result, end);
    assert.equal(ended.lost_leases, 1);
    const { requests } = receiver;
    assert.equal(count(requests, 'POST', '/payments/17'), 1, 'it was paid twice');
    assert.equal(count(requests, 'GET', '/payments/17'), 1, 'the shop was not asked');
    assert.equal(count(requests, 'PUT', '/parcels/17'), 1);
    assert.equal(count(requests, 'PUT', '/refunds/17'), 0);
  });

  it('is undone when it can not be shipped, and left alone when nobody approves it', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const shop = new Shop();
    shop.broken.add('18');
    await using receiver = await Receiver.start((request, respond) => shop.answer(request, respond));
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('order');
    const base = { shop: receiver.url, amount: 50 };
    const ids = await scene.publish([
      { workflow: 'order', input: { ...base, id: '18' } },
      { workflow: 'order', input: { ...base, id: '19', approveAbove: 10, patienceMs: 300 } },
    ]);
    const [undone, refused] = await scene.allEnded(ids, signal);
    assert.deepEqual(refused?.result, { order: '19', end: 'refused' });
    assert.match(JSON.stringify(undone?.result), /"end":"undone".*no parcel for 18: the shop answered 410/);
    const after = receiver.requests
      .filter(({ path }) => path.endsWith('/18'))
      .map(({ method, path }) => [method, path]);
    assert.deepEqual(after, [
      ['PUT', '/stock/18'],
      ['POST', '/payments/18'],
      ['PUT', '/parcels/18'],
      ['PUT', '/refunds/18'],
      ['DELETE', '/stock/18'],
    ]);
    assert.deepEqual(
      receiver.requests.filter(({ path }) => path.endsWith('/19')),
      [],
    );
  });
});
