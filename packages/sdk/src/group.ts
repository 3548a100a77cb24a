import { limits } from './limits.ts';
import { machine } from './machine.ts';

let groups = 0;

/**
 * Names a part of the workflow for its timeline: what happens while `body` runs is shown under `name`.
 *
 * @param name - cut at 1,000 characters.
 * @example const payment = await group('payment', () => pay(order));
 */
export const group = async <Result>(name: string, body: () => Promise<Result> | Result): Promise<Result> => {
  groups += 1;
  const id = groups;
  machine.note({ type: 'group', action: 'open', id, name: name.slice(0, limits.progressCharsMax) });
  try {
    return await body();
  } finally {
    machine.note({ type: 'group', action: 'close', id, name: '' });
  }
};
