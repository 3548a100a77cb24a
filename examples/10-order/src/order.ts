/**
 * An order, from its acceptance to its shipping. Every request goes to `shop`, whose routes are in the README. Large orders wait for a
 * person; what was done is undone when a later step fails.
 */
import { ChildError, group, progress, receive, respond, run, saga, sleep } from '@mvm-ci/sdk';

/** The input of {@link order}. */
export interface Order {
  readonly id: string;
  readonly amount: number;
  /** Base URL of the shop. */
  readonly shop: string;
  /** Above this amount a person decides. @default 100 */
  readonly approveAbove?: number;
  /** How long that person has, in ms. @default three days */
  readonly patienceMs?: number;
}

const dayMs = 86_400_000;

/** Takes an order through. @returns how it ended */
export async function order(input: Order): Promise<unknown> {
  respond({ accepted: input.id });
  if (input.amount > (input.approveAbove ?? 100) && !(await isApproved(input)))
    return { order: input.id, end: 'refused' };
  try {
    return await fulfil(input);
  } catch (error) {
    if (error instanceof ChildError) return { order: input.id, end: 'undone', why: error.message };
    throw error;
  }
}

const isApproved = (input: Order): Promise<boolean> =>
  group('approval', async () => {
    const decision = await receive(['approved', 'refused'], { timeoutMs: input.patienceMs ?? 3 * dayMs });
    return decision?.type === 'approved';
  });

const fulfil = (input: Order): Promise<unknown> =>
  saga(async ({ compensate }) => {
    const { shop, id, amount } = input;
    compensate(() => fetch(`${shop}/stock/${id}`, { method: 'DELETE', retry: {} }));
    await group('stock', () => fetch(`${shop}/stock/${id}`, { method: 'PUT', retry: {} }));
    progress(30, 'reserved');
    compensate(() => fetch(`${shop}/refunds/${id}`, { method: 'PUT', retry: {} }));
    const payment = await group('payment', () => pay(input));
    progress(60, 'paid');
    const shipped = await run<{ parcel: string }>('order/ship', { id, shop });
    return { order: id, end: 'shipped', amount, payment, parcel: shipped.parcel };
  });

/** A payment must not be made twice: when a crash hides whether it was made, the shop is asked. */
const pay = async ({ shop, id, amount }: Order): Promise<unknown> => {
  const response = await fetch(`${shop}/payments/${id}`, {
    method: 'POST',
    body: JSON.stringify({ amount }),
    timeoutMs: 5_000,
    probe: async () => {
      const found = await fetch(`${shop}/payments/${id}`);
      return found.ok ? found : undefined;
    },
  });
  return response.json();
};

/** A job of its own: it runs wherever a worker has room, and the order waits without taking one. */
export async function ship({ id, shop }: { readonly id: string; readonly shop: string }): Promise<{ parcel: string }> {
  await sleep(100);
  const response = await fetch(`${shop}/parcels/${id}`, { method: 'PUT', retry: {} });
  if (!response.ok) throw new Error(`no parcel for ${id}: the shop answered ${response.status}`);
  return { parcel: await response.text() };
}
