import { mvmError } from '@mvm-ci/protocol';
import type { NodeRecord } from '../machine/node-table.ts';

const candidatesNamedMax = 10;

/**
 * The node that people mean: its id begins with `text`, or its name is `text`. Of several, the only one that `isAlive`: a worker
 * without a key of its own is another node after each start, by the same name.
 *
 * @throws NODE_NOT_FOUND, NODE_AMBIGUOUS with the candidates
 */
export const findNode = (
  nodes: readonly NodeRecord[],
  text: string,
  isAlive: (node: NodeRecord) => boolean,
): NodeRecord => {
  const candidates = nodes.filter(({ node, name }) => name === text || node.startsWith(text.toLowerCase()));
  const [found] = candidates;
  if (found === undefined) {
    throw mvmError('NODE_NOT_FOUND', `no node has an id that begins "${text}", nor that name`, { node: text });
  }
  if (candidates.length === 1) return found;
  const [alive, another] = candidates.filter(isAlive);
  if (alive !== undefined && another === undefined) return alive;
  const named = candidates.slice(0, candidatesNamedMax).map(({ node, name }) => ({ node, name }));
  const texts = named.map(({ node, name }) => `${node} (${name})`).join(', ');
  const more = candidates.length > named.length ? `, and ${candidates.length - named.length} more` : '';
  throw mvmError('NODE_AMBIGUOUS', `"${text}" can be ${texts}${more}: give more of the id`, {
    node: text,
    candidates: named,
  });
};
